"""Single values as HCCL reads them: decimal numbers and addresses; and values of others shown in messages."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

from launcher.ascend import MAX_UINT32
from launcher.errors import one_line

IP = ipaddress.IPv4Address | ipaddress.IPv6Address

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,9}")
_SHOWN = 60


def decimal(text: str, high: int = MAX_UINT32) -> int | None:
    """The number, where the text is one in 0..high: ASCII digits alone, no sign, no leading zero. None otherwise."""
    if not _DECIMAL.fullmatch(text):
        return None
    number = int(text)
    return number if number <= high else None


def ip(text: str) -> IP | None:
    """The address, where a network card can have it; None for one with a scope (`%eth0`), loopback, multicast, …"""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    odd = address.is_unspecified or address.is_loopback or address.is_multicast or "%" in text
    # Of IPv6 Python counts addresses as reserved that are in use.
    return None if odd or (address.version == 4 and address.is_reserved) else address


def same(address: IP) -> IP:
    """An address by which two ways of writing one are equal: an IPv4 address inside IPv6 is the IPv4 address."""
    return getattr(address, "ipv4_mapped", None) or address


def shown(value: Any) -> str:
    """A value of a file in a message: as JSON writes it, short, and safe for a terminal."""
    text = one_line(json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else f"'{value}'")
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def listed(numbers: list[int]) -> str:
    """`0-3, 6`: numbers in few words."""
    spans: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
