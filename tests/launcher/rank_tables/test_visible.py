from __future__ import annotations

import pytest

from launcher.ascend import RT_VISIBLE_DEVICES, VISIBLE_DEVICES
from launcher.errors import UsageError
from launcher.rank_tables import visible


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("0", (0,)),
        ("0-2,4", (0, 1, 2, 4)),
        ("7,6,6", (6, 7)),
        ("Ascend910-0,Ascend910-1", (0, 1)),
        ("npu-3", (3,)),
        ("void", ()),
        ("", ()),
    ],
)
def test_forms_of_the_container_runtime(text: str, ids: tuple[int, ...]) -> None:
    assert visible.physical({VISIBLE_DEVICES: text}) == ids


def test_nothing_is_known_of_an_empty_environment() -> None:
    assert visible.physical({}) == ()


def test_numbers_of_the_process_count_those_of_the_container() -> None:
    assert visible.physical({VISIBLE_DEVICES: "4-7", RT_VISIBLE_DEVICES: "1,3"}) == (5, 7)
    assert visible.chosen({RT_VISIBLE_DEVICES: "1,3"}, (4, 5, 6, 7)) == (1, 3)
    assert visible.chosen({}, (4, 5)) == (0, 1)


def test_a_virtual_device_has_no_place_in_a_table() -> None:
    with pytest.raises(UsageError, match="it must be numbers of devices"):
        visible.physical({VISIBLE_DEVICES: "Ascend910-2c-100-0"})
