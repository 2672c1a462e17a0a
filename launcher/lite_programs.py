"""The C++ programs that stages of a run need, before it is submitted: an hour of training later is too late."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.exports import FORMATS, LITE
from launcher.plan import Plan, Stage
from runfolder import layout, programs


def missing(plan: Plan, environment: Mapping[str, str]) -> list[str]:
    """A line for programs that this machine (with its `environment`) lacks. None for a cluster: pods have them in
    their image. Touches the file system.
    """
    lacking: dict[str, dict[str, str]] = {}
    for stage in plan.stages if plan.kubernetes is None else ():
        environ = {**environment, **stage.env}
        lacking |= {name: environ for name in _wanted(stage) if programs.find(name, environ) is None}
    return [programs.missing(list(lacking), next(iter(lacking.values())))] if lacking else []


def _wanted(stage: Stage) -> tuple[str, ...]:
    if stage.name == layout.INFER310:
        return (programs.INFER,)
    written = stage.name == layout.EXPORT and any(name.endswith(FORMATS[LITE]) for name in stage.artifacts)
    return (programs.CONVERT, programs.RUN) if written else ()
