from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sphereface import align
from sphereface.config import Config
from sphereface.data import Batches, packed
from sphereface.data.faces import FaceSet, open_training
from sphereface.errors import DataError

Make = Callable[..., Any]


def open_list(made: Any, **changes: Any) -> FaceSet:
    return open_training(Config(train_data_dir=str(made.file), train_img_dir=str(made.root), **changes))


def open_images(path: Path, **changes: Any) -> FaceSet:
    return open_training(Config(train_img_dir=str(path), **changes))


def pack(faces: FaceSet, file: Path) -> Path:
    packed.write(file, ((faces.crop(i), int(faces.labels[i])) for i in range(len(faces))), faces.names)
    return file


def test_a_list(photographs: Make) -> None:
    made = photographs()
    faces = open_list(made)
    assert len(faces) == 12
    assert faces.labels.dtype == np.int32
    assert faces.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert faces.num_classes == 3
    assert faces.names == ("person_0", "person_1", "person_2")
    expected = align.crop(align.read_image(made.root / made.paths[5]), made.points[5].round(2), margin=2)
    np.testing.assert_array_equal(faces.crop(5), expected)


def test_a_bad_image_is_named(photographs: Make) -> None:
    made = photographs()
    (made.root / made.paths[1]).write_bytes(b"torn")
    (made.root / made.paths[2]).unlink()
    faces = open_list(made)
    with pytest.raises(DataError, match=r"images/person_0/0001.png: is not a whole image"):
        faces.crop(1)
    with pytest.raises(DataError, match=r"images/person_0/0002.png: no such file"):
        faces.crop(2)


def test_landmarks_of_another_size_of_the_image_are_named(photographs: Make) -> None:
    made = photographs()
    cv2.imwrite(str(made.root / made.paths[0]), np.zeros((40, 40, 3), np.uint8))
    with pytest.raises(DataError, match=r"0000.png: the landmarks lie outside the image of 40x40 pixels"):
        open_list(made).crop(0)


def test_a_label_gap_names_the_line(photographs: Make) -> None:
    made = photographs()
    text = made.file.read_text().replace("\t2\t", "\t3\t")
    made.file.write_text(text)
    with pytest.raises(DataError, match=r"list.txt:9: label 3, but no line has label 2; number the 3 identities 0..2"):
        open_list(made)


@pytest.mark.parametrize("drop", [True, False])
def test_identities_of_lfw_are_left_out(photographs: Make, drop: bool) -> None:
    made = photographs(names=["0000045", "0166921", "0000099", "1056413", "1193098", "7"], each=2)
    faces = open_list(made, drop_lfw_overlap=drop)
    if not drop:
        assert faces.num_classes == 6
        return
    assert faces.names == ("0000045", "0000099", "7")
    assert faces.labels.tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(faces.crop(2), open_list(made, drop_lfw_overlap=False).crop(4))


def test_only_identities_of_lfw(photographs: Make) -> None:
    with pytest.raises(DataError, match=r"no identity is left .*drop_lfw_overlap"):
        open_list(photographs(names=["0166921"]))


@pytest.mark.parametrize("num_classes", [0, 2, 3])
def test_num_classes_counts_with_or_without_the_overlap(photographs: Make, num_classes: int) -> None:
    made = photographs(names=["a", "0166921", "b"])
    assert open_list(made, num_classes=num_classes).num_classes == 2


def test_num_classes_of_another_list(photographs: Make) -> None:
    with pytest.raises(
        DataError, match=r"list.txt: holds 3 identities, but num_classes is 10574; set num_classes to 3"
    ):
        open_list(photographs(), num_classes=10574)


def test_a_list_of_other_images(photographs: Make, tmp_path: Path) -> None:
    made = photographs()
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match=r"other: holds none of the first images of .*list.txt, as in 'person_0/0000"):
        open_training(Config(train_data_dir=str(made.file), train_img_dir=str(tmp_path / "other")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_img_dir": ""}, "train_img_dir is not set"),
        ({"train_img_dir": "/nowhere"}, "/nowhere: no such folder of images or packed file"),
        ({"train_data_dir": "/nowhere.txt"}, "/nowhere.txt: no such landmark list"),
    ],
)
def test_missing_sources(photographs: Make, changes: dict[str, str], message: str) -> None:
    made = photographs()
    sources = {"train_data_dir": str(made.file), "train_img_dir": str(made.root)}
    with pytest.raises(DataError, match=message):
        open_training(Config(**{**sources, **changes}))  # type: ignore[arg-type]


@pytest.fixture
def aligned(tmp_path: Path) -> Path:
    """A folder of two persons with aligned crops, an empty folder, and files that are no images."""
    generator = np.random.default_rng(2)
    for name, (height, width) in [("b/1.png", (112, 96)), ("b/2.JPG", (232, 200)), ("a/1.png", (116, 100))]:
        file = tmp_path / "aligned" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), generator.integers(0, 256, (height, width, 3), np.uint8))
    (tmp_path / "aligned/empty").mkdir()
    (tmp_path / "aligned/README.txt").write_text("not a person")
    (tmp_path / "aligned/a/notes.txt").write_text("not an image")
    return tmp_path / "aligned"


def test_a_folder_per_person(aligned: Path) -> None:
    faces = open_images(aligned)
    assert faces.names == ("a", "b")
    assert faces.labels.tolist() == [0, 1, 1]
    assert faces.num_classes == 2
    np.testing.assert_array_equal(faces.crop(0), align.read_image(aligned / "a/1.png"))
    np.testing.assert_array_equal(faces.crop(1)[2:-2, 2:-2], align.read_image(aligned / "b/1.png"))
    assert faces.crop(2).shape == (116, 100, 3)


def test_a_folder_of_photographs_needs_landmarks(photographs: Make) -> None:
    with pytest.raises(DataError, match=r"person_0/0000.png: 150x160 pixels is not an aligned crop .*landmark.txt"):
        open_images(photographs().root)


def test_one_photograph_among_crops_is_a_bad_image(aligned: Path) -> None:
    cv2.imwrite(str(aligned / "b/3.png"), np.zeros((50, 90, 3), np.uint8))
    faces = open_images(aligned)
    with pytest.raises(DataError, match=r"b/3.png: 90x50 pixels is not an aligned crop"):
        faces.crop(3)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_landmark_file_inside_the_folder_is_used(photographs: Make, labelled: bool) -> None:
    made = photographs()
    lines = [line.split("\t") for line in made.lines()]
    kept = lines if labelled else [[path, *points] for path, _, *points in lines]
    (made.root / "landmark.txt").write_text("\n".join("\t".join(line) for line in kept))
    faces = open_images(made.root)
    assert faces.labels.tolist() == open_list(made).labels.tolist()
    assert faces.names == ("person_0", "person_1", "person_2")
    np.testing.assert_array_equal(faces.crop(7), open_list(made).crop(7))


def test_a_folder_without_persons(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="holds no folder per person"):
        open_images(tmp_path)


def test_a_packed_file_gives_the_batches_of_its_list(photographs: Make, tmp_path: Path) -> None:
    made = photographs()
    faces = open_list(made)
    config = Config(per_batch_size=4, color_jitter=0.2)
    from_pack = open_images(pack(faces, tmp_path / "faces.pack"))
    assert from_pack.names == faces.names
    for (images, labels), (other_images, other_labels) in zip(
        Batches(faces, config, rank=0, group_size=1).epoch(0),
        Batches(from_pack, config, rank=0, group_size=1).epoch(0),
        strict=True,
    ):
        np.testing.assert_array_equal(labels, other_labels)
        np.testing.assert_array_equal(images, other_images)


def test_a_packed_file_leaves_out_identities_of_lfw_too(photographs: Make, tmp_path: Path) -> None:
    made = photographs(names=["0166921", "a"], each=2)
    file = pack(open_list(made, drop_lfw_overlap=False), tmp_path / "faces.pack")
    assert open_images(file, drop_lfw_overlap=False).num_classes == 2
    faces = open_images(file)
    assert faces.names == ("a",)
    assert faces.labels.tolist() == [0, 0]
    np.testing.assert_array_equal(faces.crop(1), open_list(made).crop(1))


def test_a_packed_file_and_a_list(photographs: Make, tmp_path: Path) -> None:
    made = photographs()
    file = pack(open_list(made), tmp_path / "faces.pack")
    with pytest.raises(DataError, match="with a packed file leave train_data_dir empty"):
        open_training(Config(train_data_dir=str(made.file), train_img_dir=str(file)))


def test_a_file_that_is_not_packed(photographs: Make) -> None:
    with pytest.raises(DataError, match=r"list.txt: is not a file written by `sphereface pack`"):
        open_images(photographs().file)
