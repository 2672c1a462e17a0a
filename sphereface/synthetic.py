"""Writes a data set of faces drawn by program: a CASIA-style training set and LFW-style pairs of other persons.

DIR/train/images/0000007/003.jpg   DIR/train/landmark.txt   path, label 0..N-1, five points, tab-separated
DIR/test/images/Synthetic_0007/Synthetic_0007_0003.jpg      DIR/test/landmark.txt   path, five points
DIR/test/pairs.txt                 ten folds; no person is in two folds, none of them is in the training set
DIR/contact_sheet.png              a look at it
DIR/synth.json                     what was asked for; "complete" once all else is written
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runfolder import atomic
from sphereface import processes
from sphereface.errors import InputError

RECORD = "synth.json"
LIST = "landmark.txt"
PAIRS = "pairs.txt"
SHEET = "contact_sheet.png"
FOLDS = 10
MOST_PAIRS = 300
"""Pairs of each kind in a fold, at most; LFW has as many."""
DRAWING = 1
"""Raised whenever the same request gives other pictures, so that old and new ones are never mixed in a folder."""


@dataclass(frozen=True)
class Request:
    """What to draw; the same request gives the same bytes."""

    identities: int
    """Persons in the training set."""
    images: int
    """Pictures of each."""
    test_identities: int
    """Persons in the pairs."""
    test_images: int
    """Pictures of each."""
    seed: int

    def check(self) -> None:
        """Raises InputError where the request cannot be drawn."""
        least = {"identities": 2, "images": 2, "test_identities": 2 * FOLDS, "test_images": 2, "seed": 0}
        reasons = {"test_identities": f" ({FOLDS} folds, each with two persons of its own)"}
        for name, low in least.items():
            value = getattr(self, name)
            if value < low:
                option = name.replace("_", "-")
                raise InputError(f"--{option} must be at least {low}{reasons.get(name, '')}, not {value}")

    @property
    def pictures(self) -> int:
        return self.identities * self.images + self.test_identities * self.test_images


@dataclass(frozen=True)
class _Part:
    """The training or the test half: where its files lie and how they are called."""

    name: str
    stream: int
    """Tells the random streams of the two halves apart."""
    persons: int
    images: int

    def picture(self, person: int, image: int) -> str:
        """Path of one picture (both counted from 0) below the part's `images`."""
        if self.name == "train":
            return f"{person:07d}/{image + 1:03d}.jpg"
        return f"{test_name(person)}/{test_name(person)}_{image + 1:04d}.jpg"


def test_name(person: int) -> str:
    return f"Synthetic_{person + 1:04d}"


def write(
    folder: Path, request: Request, progress: Callable[[int], object] = lambda _: None, *, workers: int = 1
) -> bool:
    """Draws what `request` asks for into `folder`, or completes it; False where it is there already.

    `progress` is told how many pictures have been dealt with, `workers` is the number of processes; the files do not
    depend on it. Raises InputError for a request that cannot be drawn, a folder that holds something else, and a disk
    that takes no more.
    """
    request.check()
    try:
        if _complete(folder, request):
            return False
        for leftover in folder.glob("t*/images/*/.*.jpg"):  # of a run that was killed
            leftover.unlink(missing_ok=True)
        done = 0
        for part in _parts(request):
            draw = functools.partial(_draw_person, folder / part.name / "images", part, request.seed)
            lines: list[str] = []
            for listed in processes.ordered(draw, range(part.persons), min(workers, part.persons)):
                lines += listed
                done += part.images
                progress(done)
            atomic.write_text(folder / part.name / LIST, "".join(lines))
        atomic.write_text(folder / "test" / PAIRS, pairs(request))
        _write_sheet(folder, request)
        os.sync()  # once, and not for each of thousands of small files
        _record(folder, request, complete=True)
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot write: {error.strerror}") from None
    return True


def pairs(request: Request) -> str:
    """Text of pairs.txt: `10 P`, then for each fold P lines `name i j` and P lines `name i name j`, tab-separated."""
    rng = np.random.default_rng([request.seed, 2])
    images = request.test_images
    within = list(itertools.combinations(range(1, images + 1), 2))
    folds = [range(fold, request.test_identities, FOLDS) for fold in range(FOLDS)]
    fewest = min(len(fold) for fold in folds)
    count = min(MOST_PAIRS, fewest * len(within), fewest * (fewest - 1) // 2 * images**2)
    lines = [f"{FOLDS}\t{count}"]
    for fold in folds:
        for at in rng.choice(len(fold) * len(within), count, replace=False):
            i, j = within[at % len(within)]
            lines.append(f"{test_name(fold[at // len(within)])}\t{i}\t{j}")
        two = list(itertools.combinations(fold, 2))
        for at in rng.choice(len(two) * images**2, count, replace=False):
            one, other = two[at // images**2]
            i, j = divmod(int(at % images**2), images)
            lines.append(f"{test_name(one)}\t{i + 1}\t{test_name(other)}\t{j + 1}")
    return "\n".join(lines) + "\n"


def _parts(request: Request) -> tuple[_Part, _Part]:
    return (
        _Part("train", 0, request.identities, request.images),
        _Part("test", 1, request.test_identities, request.test_images),
    )


def _draw_person(images: Path, part: _Part, seed: int, index: int) -> list[str]:
    """Writes the pictures of a person that are not there yet; the line of each in the list."""
    import cv2

    from sphereface.synthetic_camera import photograph
    from sphereface.synthetic_person import sample_person
    from sphereface.synthetic_sitter import prepare
    from sphereface.synthetic_view import landmarks, sample_view

    cv2.setNumThreads(1)  # the pictures are small: more threads cost more than they bring
    _keep_freed_memory()
    person = sample_person(np.random.default_rng([seed, part.stream, index + 1]))
    sitter = None
    lines = []
    for image in range(part.images):
        view = sample_view(np.random.default_rng([seed, part.stream, index + 1, image + 1]), person)
        name = part.picture(index, image)
        if not _is_drawn(images / name):
            sitter = sitter or prepare(person)
            atomic.write_bytes(images / name, photograph(sitter, view), durable=False)
        label = [str(index)] if part.name == "train" else []
        numbers = [f"{value:.3f}" for value in landmarks(person, view).ravel()]
        lines.append("\t".join([name, *label, *numbers]) + "\n")
    return lines


@functools.cache
def _keep_freed_memory() -> None:
    """Canvases of 0.7 MB come and go; mapped anew each time, they cost a thousand page faults a picture.

    Only glibc has these settings (mallopt(3): M_TRIM_THRESHOLD, M_MMAP_THRESHOLD).
    """
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-1, 256 << 20)
        mallopt(-3, 32 << 20)


def _is_drawn(picture: Path) -> bool:
    """An empty file is what a machine that lost its power leaves of one."""
    try:
        return picture.stat().st_size > 0
    except FileNotFoundError:
        return False


def _complete(folder: Path, request: Request) -> bool:
    """Whether all is there. Takes an empty or new folder for this request; refuses one that holds something else."""
    record = folder / RECORD
    if record.exists():
        there = _read_record(record)
        asked = _described(request)
        other = [f"{key} {there.get(key)!r}, not {value!r}" for key, value in asked.items() if there.get(key) != value]
        if other:
            raise InputError(f"{folder} holds other synthetic faces ({'; '.join(other)}); choose another folder")
        return there.get("complete") is True
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder and has no {RECORD}; choose another folder")
    _record(folder, request, complete=False)
    return False


def _described(request: Request) -> dict[str, Any]:
    return {**dataclasses.asdict(request), "drawing": DRAWING}


def _read_record(record: Path) -> dict[str, Any]:
    try:
        value = json.loads(record.read_bytes())
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InputError(f"{record} is not what `sphereface synth` writes; choose another folder")
    return value


def _record(folder: Path, request: Request, *, complete: bool) -> None:
    about = "Synthetic faces, drawn by `sphereface synth`; no photograph and no real person is behind them."
    value = {"schema": 1, "synthetic": True, "about": about, **_described(request), "complete": complete}
    atomic.write_json(folder / RECORD, value)


def _write_sheet(folder: Path, request: Request, rows: int = 10, columns: int = 10) -> None:
    """A picture of some of the pictures: a person a row, training persons first."""
    import cv2

    train, test = _parts(request)
    shown = [(train, person) for person in range(min(rows - rows // 3, train.persons))]
    shown += [(test, person) for person in range(min(rows // 3, test.persons))]
    columns = min(columns, request.images, request.test_images)
    lines = []
    for part, person in shown:
        paths = [folder / part.name / "images" / part.picture(person, image) for image in range(columns)]
        lines.append(np.hstack([_read_picture(path) for path in paths]))
    with atomic.replacing(folder / SHEET) as temporary:
        _, data = cv2.imencode(".png", np.vstack(lines))
        temporary.write_bytes(bytes(data))


def _read_picture(path: Path) -> Any:
    import cv2

    picture = cv2.imdecode(np.frombuffer(path.read_bytes() or b"\0", np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"{path} is damaged; delete it and run `sphereface synth` again")
    return picture
