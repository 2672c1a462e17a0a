"""What changed between two looks at a run, in lines for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.states import State
from launcher.status import RunStatus, StageStatus
from launcher.terminal import durations, views


def changes(before: RunStatus | None, after: RunStatus) -> Iterator[str]:
    """One line for each stage that entered another state or attempt; `before` is None at the first look."""
    known = {} if before is None else {stage.name: stage for stage in before.stages}
    for stage in after.stages:
        earlier = known.get(stage.name)
        moved = earlier is None or (earlier.state, earlier.attempts) != (stage.state, stage.attempts)
        if moved and stage.state is not State.PENDING:
            yield _line(stage)


def _line(stage: StageStatus) -> str:
    words = [f"{stage.name}: {stage.state}"]
    if stage.state is State.SUCCEEDED:
        if stage.started is not None and stage.ended is not None:
            words.append(f"in {durations.human(stage.ended - stage.started)}")
        result = views.result(stage)
        return " ".join(words) + (f" ({result})" if result else "")
    if stage.attempts > 1:
        words.append(f"(attempt {stage.attempts})")
    because = ": ".join(part for part in (stage.reason, stage.message) if part)
    return " ".join(words) + (f": {because}" if because else "")
