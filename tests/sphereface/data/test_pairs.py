from __future__ import annotations

from pathlib import Path

import pytest

from sphereface.config import Config
from sphereface.data.pairs import read_pairs
from sphereface.errors import DataError

PAIRS = "1 1\nAnn 1 2\nAnn 1 Bob 1\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Images of Ann (1, 2, 3) and Bob (1), a list of all, and pairs that use all but Ann's third."""
    names = ["Ann/Ann_0003", "Ann/Ann_0001", "Ann/Ann_0002", "Bob/Bob_0001"]
    for name in names:
        file = tmp_path / "lfw" / f"{name}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"read later")
    lines = [f"{name}.jpg " + " ".join(str(10 * row + x) for x in range(10)) for row, name in enumerate(names)]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    (tmp_path / "pairs.txt").write_text(PAIRS)
    return Config(
        datatxt_src=str(tmp_path / "list.txt"), pairtxt_src=str(tmp_path / "pairs.txt"), datasrc=str(tmp_path / "lfw")
    )


def test_only_images_of_pairs_are_listed(config: Config, tmp_path: Path) -> None:
    pairs = read_pairs(config)
    assert pairs.images == tuple(
        tmp_path / "lfw" / name for name in ("Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", "Bob/Bob_0001.jpg")
    )
    assert pairs.points.shape == (3, 5, 2)
    assert pairs.points[:, 0, 0].tolist() == [10, 20, 30]
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([0, 0], [1, 2])
    assert pairs.same.tolist() == [True, False]
    assert pairs.fold.tolist() == [0, 0]


def test_a_pair_whose_image_is_not_in_the_list(config: Config) -> None:
    Path(config.pairtxt_src).write_text("1 1\nAnn 1 2\nAnn 1 Bob 2\n")
    with pytest.raises(DataError, match=r"pairs.txt:3: 'Bob/Bob_0002' is not in .*list.txt"):
        read_pairs(config)


def test_a_pair_whose_image_is_not_there(config: Config, tmp_path: Path) -> None:
    (tmp_path / "lfw/Ann/Ann_0002.jpg").unlink()
    with pytest.raises(DataError, match=r"pairs.txt:2: there is no image .*Ann_0002.jpg"):
        read_pairs(config)


@pytest.mark.parametrize(
    ("key", "message"),
    [("datasrc", "no such folder of images"), ("pairtxt_src", "no such pairs"), ("datatxt_src", "no such landmark")],
)
def test_a_missing_source(config: Config, tmp_path: Path, key: str, message: str) -> None:
    changed = Config(**{**vars(config), key: str(tmp_path / "none")})
    with pytest.raises(DataError, match=f"none: {message}"):
        read_pairs(changed)
    with pytest.raises(DataError, match=f"{key} is not set"):
        read_pairs(Config(**{**vars(config), key: ""}))
