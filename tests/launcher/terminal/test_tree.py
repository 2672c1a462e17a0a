from __future__ import annotations

from pathlib import Path

import pytest

from launcher.terminal import tree


def test_draw(tmp_path: Path) -> None:
    for name, count in (
        ("train/checkpoints/0-1_10.ckpt", 3 << 20),
        ("train/metrics.jsonl", 10),
        ("train/status/attempt_1/rank_0.heartbeat", 5),
        ("train/attempts/1.json", 5),
        ("plan.json", 1536),
        (".plan-x", 1),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * count)
    assert tree.draw(tmp_path).splitlines() == [
        str(tmp_path),
        "├── plan.json             1.5 KiB",
        "└── train",
        "    ├── checkpoints",
        "    │   └── 0-1_10.ckpt   3.0 MiB",
        "    └── metrics.jsonl     10 B",
    ]


def test_of_a_full_folder_the_number_is_enough(tmp_path: Path) -> None:
    (tmp_path / "result_Files").mkdir()
    for number in range(tree.MOST + 1):
        (tmp_path / "result_Files" / f"{number}.bin").touch()
    assert tree.draw(tmp_path).splitlines() == [str(tmp_path), "└── result_Files   51 files"]


def test_draw_of_an_empty_folder(tmp_path: Path) -> None:
    assert tree.draw(tmp_path) == str(tmp_path)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (50_000_000, "47.7 MiB"),
        (1 << 30, "1.0 GiB"),
        (1 << 52, "4096.0 TiB"),
    ],
)
def test_size(count: int, text: str) -> None:
    assert tree.size(count) == text
