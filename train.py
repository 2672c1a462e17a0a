"""`python train.py [--KEY=VALUE …]`: `sphereface train` by the name that it had in the model zoo."""

from __future__ import annotations

from pathlib import Path

from sphereface.zoo_program import main

if __name__ == "__main__":
    raise SystemExit(main("train", Path(__file__).parent))
