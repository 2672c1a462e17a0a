"""Pairs of faces to be judged: pairs.txt and a landmark list, brought together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sphereface.config import Config
from sphereface.data import landmark_list
from sphereface.errors import DataError


@dataclass(frozen=True)
class Pairs:
    """M images that occur in P pairs: `images` with `points` (M, 5, 2) float64 in pixels; of each pair the indices
    `left` and `right` into them (int64), whether it is the `same` person (bool), and its `fold` (int64), each (P,)."""

    images: tuple[Path, ...]
    points: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64]


def read_pairs(config: Config) -> Pairs:
    """The pairs that pairtxt_src, datatxt_src and datasrc name; images that no pair uses are left out.

    Raises DataError, with file:line, for a malformed line and for a pair whose image is not in the list or not there.
    """
    for key in ("pairtxt_src", "datatxt_src", "datasrc"):
        if not getattr(config, key):
            raise DataError(f"{key} is not set; evaluation needs pairtxt_src, datatxt_src and datasrc")
    file, root = Path(config.pairtxt_src), Path(config.datasrc)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder of images; set datasrc")
    named = landmark_list.read_named_pairs(file)
    listed = landmark_list.read(Path(config.datatxt_src), labelled=False)
    row_of = {str(PurePosixPath(path).with_suffix("")): row for row, path in enumerate(listed.paths)}
    place_of: dict[str, int] = {}
    rows: list[int] = []
    for pair in named:
        for name in (pair.left, pair.right):
            if name in place_of:
                continue
            if name not in row_of:
                raise DataError(f"{file}:{pair.line}: '{name}' is not in {listed.file}")
            if not (root / listed.paths[row_of[name]]).is_file():
                raise DataError(f"{file}:{pair.line}: there is no image {root / listed.paths[row_of[name]]}")
            place_of[name] = len(rows)
            rows.append(row_of[name])
    return Pairs(
        images=tuple(root / listed.paths[row] for row in rows),
        points=listed.points[rows],
        left=np.array([place_of[pair.left] for pair in named], np.int64),
        right=np.array([place_of[pair.right] for pair in named], np.int64),
        same=np.array([pair.same for pair in named]),
        fold=np.array([pair.fold for pair in named], np.int64),
    )
