from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sphereface import align, runtime
from sphereface.config import resolve


@pytest.fixture(autouse=True, scope="session")
def on_the_processor() -> None:
    """Graph mode with oneDNN's fast code, as in every process of ours: whichever test comes first."""
    runtime.use_device(resolve())


@dataclass(frozen=True)
class Photographs:
    """Image files with exact landmarks, and the CASIA-style list that names them."""

    root: Path
    file: Path
    paths: list[str]
    points: list[NDArray[np.float64]]

    def lines(self) -> list[str]:
        return self.file.read_text().splitlines()


@pytest.fixture
def photographs(tmp_path: Path) -> Callable[..., Photographs]:
    """Makes a small set: `persons` folders of `each` pictures of coloured patches, turned, scaled and shifted."""

    def make(persons: int = 3, each: int = 4, names: list[str] | None = None) -> Photographs:
        generator = np.random.default_rng(7)
        root, lines, paths, all_points = tmp_path / "images", [], [], []
        for label, name in enumerate(names or [f"person_{number}" for number in range(persons)]):
            (root / name).mkdir(parents=True)
            for number in range(each):
                path = f"{name}/{number:04d}.png"
                patches = generator.integers(0, 256, (8, 8, 3), np.uint8)
                cv2.imwrite(str(root / path), cv2.resize(patches, (150, 160)))
                angle, scale = generator.uniform(-0.3, 0.3), generator.uniform(0.8, 1.2)
                turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
                points = (align.REFERENCE - align.REFERENCE.mean(0)) @ turn.T + generator.uniform(65, 85, 2)
                lines.append("\t".join([path, str(label), *(f"{value:.2f}" for value in points.ravel())]))
                paths.append(path)
                all_points.append(points)
        (tmp_path / "list.txt").write_text("\n".join(lines) + "\n")
        return Photographs(root, tmp_path / "list.txt", paths, all_points)

    return make
