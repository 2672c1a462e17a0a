"""What one attempt of a stage printed, each line once and in order: from its pod or, what that forgot, the storage."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from launcher import names
from launcher.backends.kubernetes import log_window
from launcher.backends.kubernetes.api import Api
from launcher.backends.kubernetes.kept_logs import KeptLogs, NotKept
from launcher.backends.kubernetes.log_window import CONTEXT, Position, Stamped
from launcher.errors import ApiError
from launcher.processes import pod_output
from launcher.read_log import Record, Wanted

FIRST_LINES = 200
"""So many last lines are asked for where few new ones are expected."""
_GROWTH = 8
_LAST_KEPT = (2000, 16000, 0)
"""Where nobody knows how many lines came before: so many last ones of the copy are looked through (0: all)."""
_MAX_PAUSE = 32


class Line(NamedTuple):
    text: str
    """As it was printed."""
    when: float
    """Seconds since 1970: by the node's clock, or, from the storage, by what the line says; 0: unknown."""


class Window(NamedTuple):
    """The end of the newest file of a pod's log."""

    lines: list[Stamped]
    clipped: bool
    """It does not begin where the file does."""


class AttemptLog:
    """Call `read` again and again: each call gives what came since the last. `say` tells people what is missing."""

    def __init__(self, api: Api, kept: KeptLogs, stage: str, attempt: int, say: Callable[[str], None]) -> None:
        self.stage = stage
        self.attempt = attempt
        self._api = api
        self._kept = kept
        self._say = say
        self._position: Position | None = None
        """In the pod's log; None: nothing was read there, or nobody knows up to where."""
        self._taken: int | None = 0
        """How many lines of the storage's copy were given; None: so many that nobody has counted them."""
        self._recent: list[str] = []
        """The last ones of these: all beyond the position, and CONTEXT before it."""
        self._ahead: deque[str] = deque()
        """Lines from the storage that were given before the pod's log showed them."""
        self._expected = FIRST_LINES
        self._pause = self._paused = 0
        self._complete = False
        """All was given, from the storage, and nothing more can come."""

    def read(self, pod: str | None, *, final: bool) -> Iterator[Line]:
        """`pod`: its name, while it is there. `final`: nothing more will be printed, what is there is all.

        Raises BackendError, and may then be called again.
        """
        if self._complete:
            return
        position = self._position
        if position is not None:
            window, known = self._window_after(pod, position)
        else:
            window = self._window(pod)
            known = None if self._taken != 0 or (self._begins_late(window) or not window.lines) else 0
        if known is not None:
            yield from self._take(window, known)
        elif final or self._is_due(window):
            yield from self._from_storage(window, final=final)

    def open_late(self, pod: str, enough: Callable[[Sequence[Stamped]], bool]) -> tuple[list[Line], bool]:
        """The last lines that the pod has, at least so many that they are `enough`, and whether they are (or are all).

        If so, `read` then gives what comes after them; if not, everything.
        """
        window = self._grown(
            pod, lambda seen: log_window.is_sure(seen.lines, clipped=seen.clipped) and enough(seen.lines)
        )
        late = window.clipped or self._begins_late(window)
        if not window.lines or (late and not enough(window.lines)):
            return [_line(each) for each in window.lines], not late and bool(window.lines)
        lines = list(self._take(window, 0))
        if late and self._recent:
            self._taken = None
        return lines, True

    def _take(self, window: Window, known: int) -> Iterator[Line]:
        """Gives a window's lines from number `known` on."""
        fresh = [each for each in window.lines[known:] if not self._was_ahead(each.text)]
        for each in fresh:
            self._note(each.text)
        if window.lines:
            self._position = log_window.end_of(window.lines)
        if not self._ahead:
            del self._recent[:-CONTEXT]
        self._expected = max(FIRST_LINES, 4 * (len(window.lines) - known))
        self._pause = self._paused = 0
        for each in fresh:
            yield _line(each)

    def _from_storage(self, window: Window, *, final: bool) -> Iterator[Line]:
        """What the copy has beyond what was given. It was read after the window, whose lines are all in it."""
        self._pause = self._paused = min(2 * self._pause + 1, _MAX_PAUSE)
        self._position = None
        try:
            for record in self._kept_lines():
                self._note(record.text)
                yield Line(record.text, record.when)
        except NotKept as error:
            self._say(f"{error}; lines of {self.stage}, attempt {self.attempt}, may be missing here")
            if window.lines:
                self._recent, self._taken = [], None
            yield from self._take(window, 0)
            return
        ours = [each.text for each in window.lines if pod_output.is_ours(each.text)]
        end = log_window.find(ours, self._recent)
        if end is not None:
            self._position = log_window.end_of(window.lines)
            self._ahead = deque(self._recent[end:])
            self._pause = self._paused = 0
        self._complete = final and end is None
        if end is not None or final:
            for each in _foreign_end(window.lines):
                yield _line(each)

    def _kept_lines(self) -> Iterator[Record]:
        attempts = ((self.stage, self.attempt),)
        if self._taken is not None:
            yield from self._kept.read(Wanted(attempts, start=self._taken))
            return
        context = self._recent[-CONTEXT:]
        for last in _LAST_KEPT:
            records = list(self._kept.read(Wanted(attempts, start=-last)))
            end = log_window.find(context, [each.text for each in records])
            if end is not None:
                self._taken = records[end - 1].number + 1
                yield from records[end:]
                return
        raise NotKept(f"the copy on the storage does not hold what the pod of {self.stage} printed")

    def _is_due(self, window: Window) -> bool:
        """Whether to look at the storage now. In vain it is done ever more rarely, because it may take a pod each time.

        Without a line of ours in the window nobody could tell where to go on.
        """
        if not any(pod_output.is_ours(each.text) for each in window.lines):
            return False
        self._paused -= 1
        return self._paused < 0

    def _begins_late(self, window: Window) -> bool:
        """Whether the first lines of the attempt were rotated away. What has no line of ours ended before the first."""
        ours = [each.text for each in window.lines if pod_output.is_ours(each.text)]
        return bool(ours) and not pod_output.begins(ours[0], self.stage, self.attempt)

    def _was_ahead(self, text: str) -> bool:
        if not self._ahead or not pod_output.is_ours(text):
            return False
        if self._ahead.popleft() == text:
            return True
        self._ahead.clear()
        return False

    def _note(self, text: str) -> None:
        if pod_output.is_ours(text):
            self._recent.append(text)
            if self._taken is not None:
                self._taken += 1

    def _window_after(self, pod: str | None, position: Position) -> tuple[Window, int | None]:
        for count in (self._expected, None):
            window = self._window(pod, count)
            known = log_window.after(window.lines, position, clipped=window.clipped)
            if known is not None or not window.clipped:
                break
        return window, known

    def _grown(self, pod: str, enough: Callable[[Window], bool]) -> Window:
        """A small window, or a larger one, until it is `enough`; or all that there is."""
        count = FIRST_LINES
        while not enough(window := self._window(pod, count)) and window.clipped:
            count *= _GROWTH
        return window

    def _window(self, pod: str | None, count: int | None = None) -> Window:
        """At most `count` last lines. Nothing where the pod has no log now: it has not begun, or its node is silent."""
        if pod is None:
            return Window([], clipped=False)
        query = {"container": names.CONTAINER, "timestamps": "true"}
        try:
            lines = log_window.parse(self._api.log(pod, query | ({"tailLines": str(count)} if count else {})))
        except ApiError as error:
            if error.status in (401, 403):
                raise
            return Window([], clipped=False)
        return Window(lines, clipped=count is not None and len(lines) >= count)


def _line(each: Stamped) -> Line:
    return Line(each.text, log_window.seconds(each.stamp))


def _foreign_end(lines: Sequence[Stamped]) -> Sequence[Stamped]:
    """What the container said after the last line of ours: a fault of the interpreter, for example."""
    begin = next((at + 1 for at in reversed(range(len(lines))) if pod_output.is_ours(lines[at].text)), 0)
    return lines[begin:]
