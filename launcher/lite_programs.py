"""The C++ programs that stages of a run need, before it is submitted: an hour of training later is too late."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.exports import FORMATS, LITE
from launcher.plan import Plan, Stage
from runfolder import layout, programs


def missing(plan: Plan, environment: Mapping[str, str]) -> list[str]:
    """One line each for programs that this machine (with its `environment`) lacks. None for a cluster: pods have them
    in their image. Touches the file system.
    """
    if plan.kubernetes is not None:
        return []
    return [
        f"{stage.name}: {programs.missing(name, {**environment, **stage.env})}"
        for stage in plan.stages
        for name in _wanted(stage)
        if programs.find(name, {**environment, **stage.env}) is None
    ]


def _wanted(stage: Stage) -> tuple[str, ...]:
    if stage.name == layout.INFER310:
        return (programs.INFER,)
    written = stage.name == layout.EXPORT and any(name.endswith(FORMATS[LITE]) for name in stage.artifacts)
    return (programs.CONVERT, programs.RUN) if written else ()
