"""What schedulers, kubelets and registries say, as sentences of one line for people. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

MAX_MESSAGE = 400
"""Characters that are kept of what the cluster says."""

_NOISE = re.compile(
    r'(rpc error: code = \w+ desc = |Back-off pulling image "[^"]*": |ErrImagePull: |[Ff]ailed to [^:"]*"[^"]*": )'
)
_COMMAND = re.compile(r'exec: "([^"]+)"')
_NODES = re.compile(r"^0/(\d+) nodes are available: (.*?)\.?(?: (?:preemption|no new claims)\b.*)?$", re.DOTALL)
_CLAUSE = re.compile(r", (?=\d+ )")
_CLAUSES: tuple[tuple[str, str], ...] = (
    (r"(\d+) Insufficient (\S+)", r"\1 with too few free \2"),
    (r"(\d+) node\(s\) had untolerated taint \{(.*?):? *\}", r"\1 with the taint \2"),
    (r"(\d+) node\(s\) had untolerated taint\(s\)", r"\1 with a taint"),
    (r"(\d+) node\(s\) didn't match Pod's node affinity/selector", r"\1 without the labels of the selector"),
    (r"(\d+) node\(s\) were unschedulable", r"\1 closed to new pods (cordoned)"),
    (r"(\d+) node\(s\) (.*)", r"\1 that \2"),
)


def scheduling(message: str, asked: Mapping[str, str]) -> str:
    """`0/2 nodes are available: 2 Insufficient x/y. preemption: …`; `asked` is what the pod asks for, by resource."""
    found = _NODES.match(message)
    if found is None:
        return clip(message)
    count, text = found.groups()
    if not text[:1].isdigit():
        return clip(re.sub(r"( not found)\. not found$", r"\1", text))  # the scheduler says it twice
    devices = ", ".join(f"{value} {key}" for key, value in sorted(asked.items()) if "/" in key)
    asks = f"the pod asks for {devices}; " if devices and "Insufficient" in text else ""
    return clip(f"{asks}of {count} node(s): {', '.join(_clause(part) for part in _CLAUSE.split(text))}")


def pull(image: str, message: str) -> str:
    """`failed to pull and unpack image "x": failed to resolve reference "x": x: not found`."""
    rest = runtime(message).removeprefix(f"{image}: ")
    return clip(f"{image}: {rest}") if rest else image


def says_nothing_of_pull(message: str) -> bool:
    return re.fullmatch(r'(Back-off pulling image "[^"]*")?', message) is not None


def refusal(message: str) -> str:
    """The rule out of `Error creating: pods "x" is forbidden: RULE`."""
    return clip(re.sub(r'^(Error creating: )?([\w.]+ "[^"]*" is forbidden: )?', "", message))


def command(image: str, message: str) -> str:
    """`… unable to start container process: exec: "x": executable file not found in $PATH: unknown`."""
    found = _COMMAND.search(message)
    return f"{image} has no command '{found.group(1)}'" if found else last_line(message)


def runtime(message: str) -> str:
    """Without the layers of callers that a container runtime names first."""
    return clip(_NOISE.sub("", message))


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return clip(lines[-1]) if lines else ""


def clip(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= MAX_MESSAGE else f"{one[: MAX_MESSAGE - 1]}…"


def _clause(text: str) -> str:
    return next((match.expand(to) for form, to in _CLAUSES if (match := re.fullmatch(form, text))), text)
