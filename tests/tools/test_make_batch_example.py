from __future__ import annotations

import yaml

from launcher.batch.manifests import manifests
from launcher.plan import make_plan
from tools import make_batch_example as example


def test_the_example_is_what_the_templates_give() -> None:
    written = example.TARGET.read_text(encoding="utf-8")
    assert written == example.text(), "run `python -m tools.make_batch_example`"
    assert list(yaml.safe_load_all(written)) == manifests(make_plan(example.SPEC), example.CHECKPOINTS)


def test_what_to_edit_is_marked() -> None:
    marked = [line for line in example.text().splitlines() if line.lstrip().startswith("#!")]
    assert len(marked) == sum(comment.startswith("!") for _, comment in example.COMMENTS)
