from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sphereface.data import landmark_list
from sphereface.errors import DataError

POINTS = "1 2 3 4 5 6 7 8 9 10.5"
TABBED = POINTS.replace(" ", "\t")


def read(tmp_path: Path, text: str, labelled: bool | None = True) -> landmark_list.LandmarkList:
    (tmp_path / "list.txt").write_text(text)
    return landmark_list.read(tmp_path / "list.txt", labelled=labelled)


def test_read_with_labels(tmp_path: Path) -> None:
    listed = read(tmp_path, f"a/1.jpg\t0\t{TABBED}\n\n./b c/2.jpg \t 1\t{TABBED}\r\n")
    assert listed.paths == ("a/1.jpg", "b c/2.jpg")
    assert listed.labels is not None
    assert listed.labels.tolist() == [0, 1]
    assert listed.points.shape == (2, 5, 2)
    assert listed.points[1].tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10.5]]
    assert listed.where(1) == f"{tmp_path}/list.txt:3"


def test_read_without_labels_and_with_spaces(tmp_path: Path) -> None:
    listed = read(tmp_path, f"a/1.jpg {POINTS}", labelled=False)
    assert listed.labels is None
    assert listed.paths == ("a/1.jpg",)


@pytest.mark.parametrize(("label", "labelled"), [("3 ", True), ("", False)])
def test_the_first_line_shows_whether_there_are_labels(tmp_path: Path, label: str, labelled: bool) -> None:
    listed = read(tmp_path, f"a/1.jpg {label}{POINTS}\n", labelled=None)
    assert (listed.labels is not None) == labelled


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b/2.jpg 0 1 2 3", r"expected 12 columns \(relpath label x1 y1 … x5 y5\), but the line has 5 columns"),
        (f"b/2.jpg 0 {POINTS} 11", "but the line has 13 columns"),
        (f"b/2.jpg one {POINTS}", "the label must be a whole number from 0, not 'one'"),
        (f"b/2.jpg -1 {POINTS}", "not '-1'"),
        (f"b/2.jpg 99999999999 {POINTS}", "not '99999999999'"),
        (f"b/2.jpg 0 {POINTS.replace('4', 'x')}", "ten numbers x1 y1 … x5 y5, not '1 2 3 x"),
        (f"b/2.jpg 0 {POINTS.replace('4', 'nan')}", "ten numbers"),
        (f"b/2.jpg 0 {POINTS.replace('4', 'inf')}", "ten numbers"),
        (f"/b/2.jpg 0 {POINTS}", "relative to the image folder, without '..', not '/b/2.jpg'"),
        (f"../b/2.jpg 0 {POINTS}", "without '..'"),
        (f"\t0\t{TABBED}", "12 columns|relative"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=f"list.txt:2: .*({message})"):
        read(tmp_path, f"a/1.jpg 0 {POINTS}\n{line}\n")


def test_labels_where_none_belong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"list.txt:1: expected 11 columns \(relpath x1"):
        read(tmp_path, f"a/1.jpg 0 {POINTS}\n", labelled=False)


def test_an_empty_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="names no image; each line is expected to be: relpath label"):
        read(tmp_path, "\n\n")


def test_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such landmark list"):
        landmark_list.read(tmp_path / "none.txt", labelled=True)


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(DataError, match="not UTF-8"):
        landmark_list.read(tmp_path / "x.jpg", labelled=True)


def test_a_list_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read the landmark list: Is a directory"):
        landmark_list.read(tmp_path, labelled=True)


def test_identities_are_named_by_folder(tmp_path: Path) -> None:
    labels, names = read(tmp_path, f"b/1.jpg 0 {POINTS}\na/1.jpg 1 {POINTS}\nb/2.jpg 0 {POINTS}").identities()
    assert labels.tolist() == [0, 1, 0]
    assert names == ("b", "a")


def test_identities_without_labels_are_the_folders(tmp_path: Path) -> None:
    labels, names = read(tmp_path, f"b/1.jpg {POINTS}\na/1.jpg {POINTS}\nb/2.jpg {POINTS}", labelled=False).identities()
    assert labels.tolist() == [1, 0, 1]
    assert names == ("a", "b")


def test_identities_whose_folders_say_nothing_are_named_by_label(tmp_path: Path) -> None:
    labels, names = read(tmp_path, f"all/1.jpg 1 {POINTS}\nall/2.jpg 0 {POINTS}").identities()
    assert labels.tolist() == [1, 0]
    assert names == ("0", "1")


def pairs(tmp_path: Path, text: str) -> list[landmark_list.NamedPair]:
    (tmp_path / "pairs.txt").write_text(text)
    return landmark_list.read_named_pairs(tmp_path / "pairs.txt")


def test_pairs(tmp_path: Path) -> None:
    read_back = pairs(tmp_path, "2\t1\nAnn\t1\t2\nAnn\t3\tBob\t4\nBob 1 10\nBob 1 Ann 1\n")
    assert read_back == [
        landmark_list.NamedPair("Ann/Ann_0001", "Ann/Ann_0002", True, 0, 2),
        landmark_list.NamedPair("Ann/Ann_0003", "Bob/Bob_0004", False, 0, 3),
        landmark_list.NamedPair("Bob/Bob_0001", "Bob/Bob_0010", True, 1, 4),
        landmark_list.NamedPair("Bob/Bob_0001", "Ann/Ann_0001", False, 1, 5),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pairs.txt:1: the first line must be 'folds pairs', as in '10 300', not ''"),
        ("10\n", "pairs.txt:1: the first line must be"),
        ("ten 300\n", "pairs.txt:1: the first line must be"),
        ("0 300\n", "pairs.txt:1: the first line must be"),
        ("Ann 1 2\n", "pairs.txt:1: the first line must be"),
        ("1 1\nAnn 1\nAnn 1 Bob 2\n", r"pairs.txt:2: expected 'name i j' \(a pair of the same person, fold 1\)"),
        ("1 1\nAnn 1 2\nAnn 1 2\n", r"pairs.txt:3: expected 'name i name j' \(a pair of two persons, fold 1\)"),
        ("1 1\nAnn 1 Bob 2\nAnn 1 2\n", "pairs.txt:2: expected 'name i j'"),
        ("1 1\nAnn one 2\nAnn 1 Bob 2\n", "pairs.txt:2: expected 'name i j' .* not 'Ann one 2'"),
        ("1 1\nAnn 1 2\n", r"pairs.txt: ends after 1 of 2 pairs; the header promises 1 folds of 1 \+ 1"),
        ("1 1\nAnn 1 2\nAnn 1 Bob 2\nBob 1 2\n", "pairs.txt:4: more lines than the header's 1 folds"),
    ],
)
def test_malformed_pairs(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        pairs(tmp_path, text)


def test_missing_pairs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.txt: no such pairs file"):
        landmark_list.read_named_pairs(tmp_path / "none.txt")


def test_points_keep_their_precision(tmp_path: Path) -> None:
    listed = read(tmp_path, "a/1.jpg 0 " + " ".join(["123.456789"] * 10))
    assert listed.points.dtype == np.float64
    assert listed.points[0, 0, 0] == 123.456789
