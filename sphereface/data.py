"""The door to all data: sets of training faces, batches over them, and pairs to be judged."""

from __future__ import annotations

from sphereface.batches import Batch, Batches
from sphereface.faces import FaceSet, open_training
from sphereface.pairs import Pairs, read_pairs

__all__ = ["Batch", "Batches", "FaceSet", "Pairs", "open_training", "read_pairs"]
