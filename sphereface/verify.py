"""Do two images show the same person? One pair, judged by the cosine of its embeddings, as the `zoo` protocol does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sphereface import align, lfw_file, verification
from sphereface.errors import ConfigError, DataError

LANDMARKS = "x1,y1,…,x5,y5: left eye, right eye, nose, left and right corner of the mouth, in pixels"


@dataclass(frozen=True)
class Threshold:
    """A cosine above which two faces count as one person's, and where it was taken from."""

    value: float
    origin: str


@dataclass(frozen=True)
class Answer:
    similarity: float
    threshold: Threshold | None

    @property
    def same(self) -> bool | None:
        """None where no threshold is known."""
        return None if self.threshold is None else self.similarity > self.threshold.value

    def as_json(self) -> dict[str, Any]:
        value = None if self.threshold is None else self.threshold.value
        origin = None if self.threshold is None else self.threshold.origin
        return {"similarity": self.similarity, "same": self.same, "threshold": value, "threshold_origin": origin}

    def as_text(self) -> str:
        if self.threshold is None:
            tail = "no threshold given: take one from an evaluation (--lfw lfw.json), or set it (--threshold)"
            return f"cosine similarity {self.similarity:.4f}; {tail}"
        word = "the same person" if self.same else "different persons"
        threshold = f"threshold {self.threshold.value:.4f} ({self.threshold.origin})"
        return f"{word}: cosine similarity {self.similarity:.4f}, {threshold}"


def parse_landmarks(text: str, flag: str) -> npt.NDArray[np.float64]:
    """Ten numbers apart by commas or spaces as (5, 2). Raises ConfigError naming the flag."""
    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) != 10 or not all(map(math.isfinite, numbers)):
        raise ConfigError(f"{flag} must be ten numbers {LANDMARKS}; not '{text}'")
    return np.array(numbers).reshape(5, 2)


def face(path: Path, landmarks: npt.NDArray[np.float64] | None, *, aligned: bool, flag: str) -> npt.NDArray[np.uint8]:
    """The crop (112, 96, 3) uint8 BGR of an image. Raises DataError, and ConfigError where the face is not located."""
    from sphereface.embed import aligned_crop

    if landmarks is not None:
        return aligned_crop(path, landmarks)
    image = align.read_image(path)
    if not aligned:
        raise ConfigError(
            f"{path}: where is the face? give {flag} {LANDMARKS}; or --aligned, if the images are aligned 96x112 crops"
        )
    if image.shape[:2] != (align.HEIGHT, align.WIDTH):
        width, height = image.shape[1], image.shape[0]
        raise DataError(f"{path}: is {width}x{height} pixels, and an aligned crop is 96x112; give {flag} instead")
    return image


def choose_threshold(
    value: float | None, lfw: Path | None, far: float | None, checkpoint_sha256: str
) -> Threshold | None:
    """The given value, or the one of an evaluation: its best accuracy's, or the one for a false accept rate.

    Raises ConfigError for a value that is no cosine, or an evaluation whose thresholds do not fit.
    """
    if value is not None:
        if not -1 <= value <= 1:
            raise ConfigError(f"--threshold is a cosine between -1 and 1, not {value:g}")
        return Threshold(value, "as given")
    if lfw is None:
        if far is not None:
            raise ConfigError("--far needs --lfw: the threshold for a false accept rate is taken from an evaluation")
        return None
    result = lfw_file.read(lfw)
    if result.protocol != "zoo":
        raise ConfigError(f"{lfw}: its thresholds are of protocol {result.protocol}; evaluate with protocol zoo")
    if result.checkpoint_sha256 != checkpoint_sha256:
        raise ConfigError(f"{lfw}: is of another checkpoint ({result.checkpoint}); evaluate the one given here")
    if far is None:
        return Threshold(result.threshold, f"best accuracy in {lfw}")
    if far not in result.threshold_at_far:
        known = ", ".join(f"{rate:g}" for rate in result.threshold_at_far)
        raise ConfigError(f"{lfw}: has thresholds for the false accept rates {known}, not {far:g}")
    return Threshold(result.threshold_at_far[far], f"false accept rate {far:g} in {lfw}")


def compare(
    network: Any, faces: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]], threshold: Threshold | None
) -> Answer:
    """The answer for two aligned crops. Raises DataError if the network's embeddings are not finite."""
    from sphereface.embed import embed_crops

    first, second = embed_crops(network, np.stack(faces), batch_size=2)
    similarity = float(verification.cosine(first[None], second[None])[0])
    if not math.isfinite(similarity):
        raise DataError("the network's embeddings hold NaN or Inf; the checkpoint has diverged, use an earlier one")
    return Answer(similarity, threshold)
