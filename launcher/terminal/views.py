"""How runs and stages look to people: the columns of `list` and `status`, and the lines of a result. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from launcher.backends import LogLine
from launcher.states import REASONS, State
from launcher.status import Progress, RunStatus, StageStatus, rfc3339
from launcher.terminal import durations, output
from runfolder import layout

RUN_HEADERS = ("NAME", "STATE", "STAGES", "NOW", "DEVICES", "AGE")
RUN_HEADERS_WIDE = (*RUN_HEADERS, "TOOK", "LFWACC", "REASON", "BACKEND", "FOLDER")
STAGE_HEADERS = ("STAGE", "STATE", "ATTEMPTS", "RANKS", "EPOCH", "STEP", "LOSS", "IMAGES/S", "ETA", "TOOK")
STAGE_HEADERS_WIDE = (*STAGE_HEADERS, "REASON", "EXIT", "NODE", "RESULT")


def runs_table(runs: Sequence[RunStatus], now: float, *, wide: bool = False) -> str:
    return output.table(RUN_HEADERS_WIDE if wide else RUN_HEADERS, [run_row(run, now, wide=wide) for run in runs])


def run_row(run: RunStatus, now: float, *, wide: bool = False) -> tuple[str, ...]:
    done = sum(stage.state in (State.SUCCEEDED, State.SKIPPED) for stage in run.stages)
    row = (
        run.run,
        run.state,
        f"{done}/{len(run.stages)}",
        _now(run),
        _devices(run),
        durations.human(now - run.created),
    )
    if not wide:
        return row
    took = durations.human((run.ended or now) - run.created)
    accuracy = next((f"{stage.metrics['accuracy']:.4f}" for stage in run.stages if _judged(stage)), "")
    return (*row, took, accuracy, run.reason, run.backend, run.folder)


def stages_table(run: RunStatus, now: float, *, wide: bool = False) -> str:
    rows = [_stage_row(stage, now, wide=wide) for stage in run.stages]
    return output.table(STAGE_HEADERS_WIDE if wide else STAGE_HEADERS, rows)


def details(run: RunStatus, now: float, *, wide: bool = False) -> str:
    """What `status RUN` prints: the run as `kubectl describe` would, its stages, why, and the result."""
    facts = [
        ("Name", run.run),
        *([("Namespace", run.namespace)] if run.namespace else []),
        ("State", run.state),
        ("Devices", _devices(run)),
        ("Backend", run.backend),
        ("Created", f"{rfc3339(run.created)} ({durations.human(now - run.created)} ago)"),
    ]
    if run.ended is not None:
        took = durations.human(run.ended - run.created)
        facts.append(("Ended", f"{rfc3339(run.ended)} (took {took})"))
    facts.append(("Folder", run.folder))
    lines = [f"{name + ':':<10} {value}" for name, value in facts]
    lines += [f"{'Why:' if not index else '':<10} {line}" for index, line in enumerate(why(run))]
    lines += ["", stages_table(run, now, wide=wide)]
    results = list(result_lines(run))
    return "\n".join([*lines, *(["", *results] if results else [])])


def why(run: RunStatus) -> Iterator[str]:
    """Reasons in plain words: the run's own, then those of its stages that say more."""
    told = set()
    for name, reason, message in (
        ("", run.reason, run.message),
        *((f"{stage.name}: ", stage.reason, stage.message) for stage in run.stages),
    ):
        text = _sentences(message, REASONS[reason].sentence if reason in REASONS else "")
        if (reason or text) and (reason, message) not in told:
            told.add((reason, message))
            yield f"{name}{reason}{': ' if reason and text else ''}{text}"


def _sentences(message: str, sentence: str) -> str:
    """What happened, then what it means; a message that says the sentence already stands alone."""
    if not message or not sentence or sentence in message:
        return message or sentence
    return f"{message.rstrip('.')}. {sentence}"


def result_lines(run: RunStatus) -> Iterator[str]:
    """The line that users of the zoo parse, `LFWACC=0.9923 std=0.0050 thd=0.3050`, where a stage was judged."""
    for stage in run.stages:
        if _judged(stage):
            yield result(stage)


def result(stage: StageStatus) -> str:
    """What a stage reached, in a few words; empty where it says nothing."""
    metrics = stage.metrics
    if _judged(stage):
        return str(metrics["line"])
    return " ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in metrics.items()
    )


def progress_words(progress: Progress) -> str:
    """`epoch 3/10, step 120/400, loss 4.211, 101 images/s, ETA 1m20s`."""
    words = [f"epoch {progress.epoch}/{progress.epochs}"] if progress.epochs else []
    words.append(f"step {progress.step}/{progress.steps}")
    return ", ".join([*words, *speed_words(progress)])


def speed_words(progress: Progress) -> list[str]:
    words = []
    if progress.loss is not None:
        words.append(f"loss {progress.loss:.4g}")
    if progress.images_per_s is not None:
        digits = 0 if progress.images_per_s >= 10 else 1
        words.append(f"{progress.images_per_s:.{digits}f} images/s")
    if progress.eta_s is not None:
        words.append(f"ETA {durations.human(progress.eta_s)}")
    return words


def log_prefix(line: LogLine) -> str:
    """`[train 0] `, or `[train] ` for the stage's own first process."""
    return f"[{line.stage}] " if line.rank is None else f"[{line.stage} {line.rank}] "


def current_stage(run: RunStatus) -> StageStatus | None:
    """The stage that is being worked on, or that the run ended in without success."""
    idle = (State.PENDING, State.SUCCEEDED, State.SKIPPED)
    return next((stage for stage in run.stages if stage.state not in idle), None)


def _devices(run: RunStatus) -> str:
    """`cpu x8`, in several pods `cpu x8 x2 pods`; a run whose record cannot be read has none."""
    several = f" x{run.nodes} pods" if run.nodes > 1 else ""
    return f"{run.device} x{run.devices}{several}" if run.device else ""


def _now(run: RunStatus) -> str:
    stage = current_stage(run)
    if stage is None:
        return ""
    progress = stage.progress
    if progress is None or stage.state.terminal or not progress.steps:
        return stage.name
    return f"{stage.name} {100 * progress.step // progress.steps}%"


def _stage_row(stage: StageStatus, now: float, *, wide: bool) -> tuple[str, ...]:
    took = "" if stage.started is None else durations.human((stage.ended or now) - stage.started)
    row = (stage.name, stage.state, str(stage.attempts or ""), *_progress_cells(stage), took)
    if not wide:
        return row
    return (*row, stage.reason, "" if stage.exit_code is None else str(stage.exit_code), stage.node, result(stage))


def _progress_cells(stage: StageStatus) -> tuple[str, str, str, str, str, str]:
    """RANKS, EPOCH, STEP, LOSS, IMAGES/S, ETA."""
    progress = stage.progress
    if progress is None:
        return ("",) * 6
    ranks = "" if stage.state.terminal else f"{progress.ranks_alive}/{progress.ranks}"
    trains = stage.name == layout.TRAIN and progress.steps > 0
    return (
        ranks,
        f"{progress.epoch}/{progress.epochs}" if trains else "",
        f"{progress.step}/{progress.steps}" if progress.steps else "",
        "" if progress.loss is None else f"{progress.loss:.4g}",
        "" if progress.images_per_s is None else f"{progress.images_per_s:.1f}",
        "" if progress.eta_s is None or stage.state.terminal else durations.human(progress.eta_s),
    )


def _judged(stage: StageStatus) -> bool:
    return stage.name in (layout.EVALUATE, layout.INFER310) and {"accuracy", "line"} <= stage.metrics.keys()
