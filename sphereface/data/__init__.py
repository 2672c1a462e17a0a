"""Training faces and evaluation pairs: lists, folders, packed files, sampling, batches. This is the door to them."""

from __future__ import annotations

from sphereface.data.batches import Batch, Batches
from sphereface.data.faces import FaceSet, open_training
from sphereface.data.pairs import Pairs, read_pairs

__all__ = ["Batch", "Batches", "FaceSet", "Pairs", "open_training", "read_pairs"]
