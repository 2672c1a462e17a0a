"""Reading landmark lists and pairs.txt: text in, arrays out, every fault named by file:line.

    CASIA-style (training)   relpath <TAB> label <TAB> x1 <TAB> y1 … x5 <TAB> y5
    LFW-style (evaluation)   relpath <TAB> x1 <TAB> y1 … x5 <TAB> y5
    pairs.txt                "folds pairs", then in each fold `pairs` lines "name i j" (the same person) and
                             `pairs` lines "name i name j" (two persons)

Columns may be set apart by tabs or by spaces. Empty lines are passed over.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sphereface.errors import DataError

_POINTS = 10


@dataclass(frozen=True)
class LandmarkList:
    """N images: `paths` relative to the image folder, `points` (N, 5, 2) float64 in pixels, `labels` (N,) int64 or
    None, and the line of each in `file`."""

    file: Path
    paths: tuple[str, ...]
    labels: NDArray[np.int64] | None
    points: NDArray[np.float64]
    lines: NDArray[np.int64]

    def folders(self) -> NDArray[np.str_]:
        """The first part of each path, (N,): in most sets the person."""
        return np.array([path.split("/", 1)[0] for path in self.paths])

    def identities(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Label of each image, (N,), and the names of labels 0..max: by folder where folders and labels go one to
        one, else the label itself. A list without labels takes the folders, sorted."""
        folders = self.folders()
        names, by_folder = np.unique(folders, return_inverse=True)
        if self.labels is None:
            return by_folder.astype(np.int64), tuple(map(str, names))
        count = int(self.labels.max()) + 1
        together = np.unique(np.stack([self.labels, by_folder]), axis=1)
        if together.shape[1] == len(names) == len(np.unique(self.labels)):
            named = dict(zip(together[0].tolist(), names[together[1]].tolist(), strict=True))
            return self.labels, tuple(named.get(label, str(label)) for label in range(count))
        return self.labels, tuple(map(str, range(count)))

    def where(self, index: int) -> str:
        return f"{self.file}:{self.lines[index]}"


@dataclass(frozen=True)
class NamedPair:
    """A line of pairs.txt: two images by their path without suffix, as in `Name/Name_0001`."""

    left: str
    right: str
    same: bool
    fold: int
    line: int


def read(file: Path, *, labelled: bool | None) -> LandmarkList:
    """Reads a list that has labels (True), has none (False), or shows it by its first line (None)."""
    paths: list[str] = []
    labels: list[int] = []
    numbers = array("d")
    lines = array("q")
    for line, text in _lines(file, "landmark list"):
        fields = _fields(text)
        if labelled is None:
            labelled = len(fields) != _POINTS + 1
        if len(fields) != _POINTS + 1 + labelled:
            raise DataError(f"{file}:{line}: {_expected(labelled)}, but the line has {len(fields)} columns")
        where = f"{file}:{line}"
        paths.append(_relative(fields[0], where))
        if labelled:
            labels.append(_label(fields[1], where))
        numbers.extend(_numbers(fields[1 + labelled :], where))
        lines.append(line)
    if not paths:
        raise DataError(f"{file}: names no image; each line is expected to be: {_columns(bool(labelled))}")
    return LandmarkList(
        file=file,
        paths=tuple(paths),
        labels=np.array(labels, np.int64) if labelled else None,
        points=np.frombuffer(numbers).reshape(-1, 5, 2),
        lines=np.frombuffer(lines, np.int64),
    )


def read_named_pairs(file: Path) -> list[NamedPair]:
    """Reads pairs.txt, in the order of the file. Raises DataError for anything that is not what the header says."""
    lines = _lines(file, "pairs file")
    line, header = next(lines, (1, ""))
    fields = header.split()
    if len(fields) != 2 or not all(field.isdecimal() and int(field) > 0 for field in fields):
        raise DataError(f"{file}:{line}: the first line must be 'folds pairs', as in '10 300', not {header!r}")
    folds, each = int(fields[0]), int(fields[1])
    pairs: list[NamedPair] = []
    for line, text in lines:
        if len(pairs) == folds * each * 2:
            raise DataError(f"{file}:{line}: more lines than the header's {folds} folds of {each} + {each} pairs")
        fold, place = divmod(len(pairs), each * 2)
        pairs.append(_pair(_fields(text), place < each, fold, line, file))
    if len(pairs) != folds * each * 2:
        raise DataError(
            f"{file}: ends after {len(pairs)} of {folds * each * 2} pairs; "
            f"the header promises {folds} folds of {each} + {each}"
        )
    return pairs


def _pair(fields: list[str], same: bool, fold: int, line: int, file: Path) -> NamedPair:
    form = "name i j" if same else "name i name j"
    expected = 3 if same else 4
    numbers = fields[1:] if same else fields[1::2]
    if len(fields) != expected or not all(number.isdecimal() for number in numbers):
        kind = "the same person" if same else "two persons"
        raise DataError(
            f"{file}:{line}: expected '{form}' (a pair of {kind}, fold {fold + 1}), not '{' '.join(fields)}'"
        )
    other = fields[0] if same else fields[2]
    return NamedPair(_stem(fields[0], numbers[0]), _stem(other, numbers[1]), same, fold, line)


def _stem(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}"


def _lines(file: Path, kind: str) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and texts of the lines that are not empty."""
    try:
        with file.open(encoding="utf-8-sig") as stream:
            for line, text in enumerate(stream, 1):
                stripped = text.strip()
                if stripped:
                    yield line, stripped
    except FileNotFoundError:
        raise DataError(f"{file}: no such {kind}") from None
    except UnicodeDecodeError:
        raise DataError(f"{file}: is not a {kind}: not UTF-8 text") from None
    except OSError as error:
        raise DataError(f"{file}: cannot read the {kind}: {error.strerror}") from None


def _fields(text: str) -> list[str]:
    return list(map(str.strip, text.split("\t"))) if "\t" in text else text.split()


def _relative(text: str, where: str) -> str:
    if not text or text.startswith("/") or ".." in text.split("/"):
        raise DataError(f"{where}: the image path must be relative to the image folder, without '..', not '{text}'")
    return text.removeprefix("./")


def _label(text: str, where: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise DataError(f"{where}: the label must be a whole number from 0, not '{text}'")
    return int(text)


def _numbers(texts: list[str], where: str) -> list[float]:
    try:
        numbers = [float(text) for text in texts]
        finite = math.isfinite(sum(numbers))
    except ValueError:
        finite = False
    if not finite:
        raise DataError(f"{where}: the landmarks must be ten numbers x1 y1 … x5 y5, not '{' '.join(texts)}'")
    return numbers


def _expected(labelled: bool) -> str:
    return f"expected {_POINTS + 1 + labelled} columns ({_columns(labelled)})"


def _columns(labelled: bool) -> str:
    return "relpath label x1 y1 … x5 y5" if labelled else "relpath x1 y1 … x5 y5"
