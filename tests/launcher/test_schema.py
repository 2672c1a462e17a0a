"""The schema that the launcher checks specs against is what sphereface says today."""

from __future__ import annotations

import json

from launcher import spec_keys
from launcher.exports import FORMATS
from sphereface import config


def test_the_schema_is_in_step_with_the_configuration() -> None:
    assert json.loads(json.dumps(config.schema())) == spec_keys.stage_schema(), "run tools/make_schema.py"


def test_formats_are_those_that_sphereface_writes() -> None:
    assert tuple(FORMATS) == config.FORMATS
