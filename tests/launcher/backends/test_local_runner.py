from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_main_refuses_a_folder_without_a_run_in_one_line(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "launcher.backends.local_runner", "--folder", str(tmp_path)]

    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 3
    assert done.stderr.startswith("error: no run")
    assert done.stderr.count("\n") == 1
