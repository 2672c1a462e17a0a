from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sphereface import archives
from sphereface.archives import Budget
from sphereface.errors import DataError

PLENTY = (1 << 30, 1000)


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    pack: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress,
        ".tgz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
    }
    path.write_bytes(pack.get(path.suffix, bytes)(data.getvalue()))
    return path


def special(path: Path, kind: bytes, target: str = "") -> Path:
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("odd")
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return path


def outside(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} - {"in"}


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.zip", zipped), ("a.tar", tarred), ("a.tar.gz", tarred), ("a.tgz", tarred), ("a.tar.bz2", tarred),
     ("a.tar.xz", tarred)],
)  # fmt: skip
def test_files_come_out_as_they_went_in(
    tmp_path: Path, name: str, pack: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    files = {"list.txt": b"x" * 100, "images/a/1.jpg": bytes(range(256)) * 20}
    archive = pack(tmp_path / name, files)
    assert archives.is_archive(archive)
    budget = Budget(*PLENTY)
    archives.unpack(archive, tmp_path / "in", budget)
    assert {name: (tmp_path / "in" / name).read_bytes() for name in files} == files
    assert budget.bytes == PLENTY[0] - sum(map(len, files.values()))


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "..\\out.txt", "a\nb", "a/\x00b"])
@pytest.mark.parametrize(("suffix", "pack"), [("zip", zipped), ("tar", tarred)])
def test_a_name_that_leads_out_is_refused(
    tmp_path: Path, name: str, suffix: str, pack: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    if "\x00" in name:  # both formats end a name there, so that is how it comes out of them
        with pytest.raises(DataError, match="refused"):
            archives.safe_path(name, "a")
        return
    (tmp_path / "in").mkdir()
    archive = pack(tmp_path / f"a.{suffix}", {name: b"x"})
    with pytest.raises(DataError, match="refused") as caught:
        archives.unpack(archive, tmp_path / "in", Budget(*PLENTY))
    assert "\n" not in str(caught.value)
    assert outside(tmp_path) == {archive.name}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    archive = special(tmp_path / "a.tar", kind, "/etc/passwd")
    with pytest.raises(DataError, match="odd is a link or a device"):
        archives.unpack(archive, tmp_path / "in", Budget(*PLENTY))
    assert not (tmp_path / "in" / "odd").exists()


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("odd")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="odd is a link or a device"):
        archives.unpack(tmp_path / "a.zip", tmp_path / "in", Budget(*PLENTY))


def test_a_bomb_ends_at_its_ratio_and_at_the_room_that_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = zipped(tmp_path / "a.zip", {"zeros": bytes(8 << 20)})
    with pytest.raises(DataError, match=r"a.zip: too large"):
        archives.unpack(archive, tmp_path / "in", Budget(4 << 20, 10))
    monkeypatch.setattr(archives, "SPARE", 1 << 20)
    with pytest.raises(DataError, match=r"a.zip: too large"):
        archives.unpack(archive, tmp_path / "in", Budget(*PLENTY))


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {str(number): b"" for number in range(11)})
    with pytest.raises(DataError, match=r"a.zip: too many files"):
        archives.unpack(archive, tmp_path / "in", Budget(1 << 20, 10))


@pytest.mark.parametrize(("suffix", "pack"), [("zip", zipped), ("tar.gz", tarred), ("tar.xz", tarred), ("tar", tarred)])
def test_a_damaged_archive_is_told_in_one_line(
    tmp_path: Path, suffix: str, pack: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    archive = pack(tmp_path / f"a.{suffix}", {"a": bytes(range(256)) * 40, "b": b"x"})
    data = archive.read_bytes()
    archive.write_bytes(data[: len(data) // 3])
    with pytest.raises(DataError, match=rf"a.{suffix}: cannot be unpacked") as caught:
        archives.unpack(archive, tmp_path / "in", Budget(*PLENTY))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a.tar", {"a": b"x", "a/b": b"y"})
    with pytest.raises(DataError, match="is a file and a folder"):
        archives.unpack(archive, tmp_path / "in", Budget(*PLENTY))
