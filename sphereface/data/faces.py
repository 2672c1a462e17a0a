"""Sets of training faces, from a CASIA-style list, from a folder per person, or from a packed file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sphereface import align
from sphereface.config import Config
from sphereface.data import landmark_list, packed
from sphereface.errors import DataError

LFW_OVERLAP = frozenset({"0166921", "1056413", "1193098"})
"""Identities of CASIA-WebFace that are in LFW too."""

_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_LANDMARKS = "landmark.txt"
_LOOKED_AT = 20  # first files of a list of which at least one must exist


class FaceSet(Protocol):
    """N aligned faces of `num_classes` persons."""

    @property
    def labels(self) -> NDArray[np.int32]:
        """(N,), each of 0..num_classes-1."""

    @property
    def num_classes(self) -> int: ...

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes, by label."""

    def __len__(self) -> int: ...

    def crop(self, index: int) -> NDArray[np.uint8]:
        """The aligned canvas, uint8 (116, 100, 3) BGR. Raises DataError, naming the file, where it has none."""


class ImageFaces:
    """A FaceSet over image files, decoded and aligned as they are asked for.

    `points` (N, 5, 2) float64, or None where the images are aligned crops already.
    """

    def __init__(
        self,
        root: Path,
        paths: tuple[str, ...],
        points: NDArray[np.float64] | None,
        labels: NDArray[np.int32],
        names: tuple[str, ...],
    ) -> None:
        self.labels = labels
        self.names = names
        self.num_classes = len(names)
        self.paths = paths
        self._root = root
        self._points = points

    def __len__(self) -> int:
        return len(self.paths)

    def crop(self, index: int) -> NDArray[np.uint8]:
        path = self._root / self.paths[index]
        image = align.read_image(path)
        try:
            if self._points is None:
                return align.canvas_of_aligned(image)
            return align.crop(image, self._points[index], margin=align.MARGIN)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None


def open_training(config: Config) -> FaceSet:
    """The faces that train_data_dir and train_img_dir name. Raises DataError for what is missing or does not fit."""
    if not config.train_img_dir:
        raise DataError("train_img_dir is not set; name the folder of the training images or a packed file")
    source = Path(config.train_img_dir)
    if not source.exists():
        raise DataError(f"{source}: no such folder of images or packed file; set train_img_dir")
    if source.is_file():
        return _open_packed(source, config)
    if config.train_data_dir:
        listed = landmark_list.read(Path(config.train_data_dir), labelled=True)
        return _open_list(listed, source, config)
    if (source / _LANDMARKS).is_file():
        listed = landmark_list.read(source / _LANDMARKS, labelled=None)
        return _open_list(listed, source, config)
    return _open_folders(source, config)


def _open_list(listed: landmark_list.LandmarkList, root: Path, config: Config) -> ImageFaces:
    _check_labels(listed)
    labels, names = listed.identities()
    _check_root(listed, root)
    dropped = np.isin(listed.folders(), sorted(LFW_OVERLAP)) & config.drop_lfw_overlap
    rows, closed, kept = _without(dropped, labels, names)
    _check_count(len(kept), len(names), str(listed.file), config)
    paths = tuple(listed.paths[row] for row in rows)
    return ImageFaces(root, paths, listed.points[rows], closed, kept)


def _open_folders(root: Path, config: Config) -> ImageFaces:
    persons = [folder for folder in sorted(root.iterdir()) if folder.is_dir() and not folder.name.startswith(".")]
    if config.drop_lfw_overlap:
        persons = [folder for folder in persons if folder.name not in LFW_OVERLAP]
    paths: list[str] = []
    labels: list[int] = []
    names: list[str] = []
    for folder in persons:
        images = list(_images(folder))
        if images:
            paths += [f"{folder.name}/{image.name}" for image in images]
            labels += [len(names)] * len(images)
            names.append(folder.name)
    if not paths:
        raise DataError(f"{root}: holds no folder per person with images in it; set train_data_dir to a landmark list?")
    _check_count(len(names), len(names), str(root), config)
    faces = ImageFaces(root, tuple(paths), None, np.array(labels, np.int32), tuple(names))
    _check_aligned(root / paths[0])
    return faces


def _open_packed(file: Path, config: Config) -> packed.PackedFaces:
    if config.train_data_dir:
        raise DataError(
            f"{file}: train_img_dir is a file, and train_data_dir names a list as well; "
            "with a packed file leave train_data_dir empty, with a list set train_img_dir to the folder of its images"
        )
    canvases, labels, names = packed.read(file)
    overlap = [label for label, name in enumerate(names) if name in LFW_OVERLAP and config.drop_lfw_overlap]
    rows, closed, kept = _without(np.isin(labels, overlap), labels, names)
    _check_count(len(kept), len(names), str(file), config)
    return packed.PackedFaces(canvases, rows, closed, kept)


def _without(
    dropped: NDArray[np.bool_], labels: NDArray[np.signedinteger[Any]], names: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int32], tuple[str, ...]]:
    """Rows that stay, their labels closed up to 0..N-1, and the names of those."""
    rows = np.flatnonzero(~dropped)
    used, closed = np.unique(labels[rows], return_inverse=True)
    return rows, closed.astype(np.int32), tuple(names[label] for label in used)


def _check_labels(listed: landmark_list.LandmarkList) -> None:
    """Labels must be 0..N-1 without a gap: a gap means that lines are missing or that the list is of another set."""
    labels = listed.labels
    if labels is None:
        return
    used = np.unique(labels)
    if used[-1] == len(used) - 1:
        return
    missing = int(np.flatnonzero(used != np.arange(len(used)))[0])
    line = listed.where(int(np.flatnonzero(labels == used[missing])[0]))
    raise DataError(
        f"{line}: label {used[missing]}, but no line has label {missing}; "
        f"number the {len(used)} identities 0..{len(used) - 1} without a gap"
    )


def _check_root(listed: landmark_list.LandmarkList, root: Path) -> None:
    if not any((root / path).exists() for path in listed.paths[:_LOOKED_AT]):
        raise DataError(
            f"{root}: holds none of the first images of {listed.file}, as in '{listed.paths[0]}'; "
            "set train_img_dir to the folder that its paths start from"
        )


def _check_count(count: int, before_overlap: int, source: str, config: Config) -> None:
    """num_classes may count the identities with the overlap, as the published configuration does, or without."""
    if count == 0:
        raise DataError(f"{source}: no identity is left once those that overlap LFW are left out (drop_lfw_overlap)")
    if config.num_classes not in (0, count, before_overlap):
        raise DataError(
            f"{source}: holds {count} identities, but num_classes is {config.num_classes}; "
            f"set num_classes to {count}, or to 0 to count them"
        )


def _check_aligned(first: Path) -> None:
    """Refuses a folder of photographs at once, rather than as that many bad images later."""
    try:
        image = align.read_image(first)
    except DataError:
        return  # one bad image among good ones is counted in training
    try:
        align.canvas_of_aligned(image)
    except DataError as error:
        raise DataError(f"{first}: {error}") from None


def _images(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in _IMAGE_SUFFIXES and not file.name.startswith("."):
            yield file
