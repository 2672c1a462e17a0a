from __future__ import annotations

from pathlib import Path

import pytest

from launcher.batch import checkpoints
from launcher.errors import UsageError


def test_a_list_may_have_comments_and_empty_lines() -> None:
    assert checkpoints.read_list("# best first\n\n  a.ckpt  \nb c.ckpt\r\n#d.ckpt\n") == ("a.ckpt", "b c.ckpt")


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text("# nothing\n")
    with pytest.raises(UsageError, match=f"{file}: names no checkpoint"):
        checkpoints.load_list(file)


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the list"):
        checkpoints.load_list(tmp_path / "none")


def test_each_index_has_a_folder_of_its_own_whatever_its_file_is_called() -> None:
    batch = checkpoints.batch_folder(Path("/storage"), "june")
    names = [
        checkpoints.judged_folder(batch, index, name).relative_to(batch).as_posix()
        for index, name in enumerate(("a/0-5_210.ckpt", "b/0-5_210.ckpt", "x/ü b|c.ckpt", "..", "n" * 300 + ".ckpt"))
    ]
    assert names == ["0-0-5_210", "1-0-5_210", "2-__b_c", "3-..", "4-" + "n" * 80]
