"""Which devices a container has, from the environment variables that say it; see `launcher.ascend` for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from launcher import ascend
from launcher.errors import UsageError
from launcher.rank_tables.values import decimal, listed, shown

_LAST = 63
"""Highest number of a device that is taken for one."""


def physical(environment: Mapping[str, str]) -> tuple[int, ...]:
    """Physical ids, ascending, of the devices that this process may use; () where the environment says nothing.

    Raises UsageError, one line, for what neither the container runtime nor CANN would read that way.
    """
    given = _numbers(ascend.VISIBLE_DEVICES, environment.get(ascend.VISIBLE_DEVICES, ""))
    if given:
        return tuple(given[position] for position in chosen(environment, given))
    return _own(environment)  # on a bare machine its devices' numbers are the physical ids


def chosen(environment: Mapping[str, str], given: Sequence[int]) -> tuple[int, ...]:
    """Positions of the devices that this process may use, among those `given` to its container in ascending order."""
    own = _own(environment) or tuple(range(len(given)))
    if max(own) >= len(given):
        raise UsageError(
            f"{ascend.RT_VISIBLE_DEVICES} is {shown(environment[ascend.RT_VISIBLE_DEVICES])}, but this container has "
            f"{len(given)} devices ({listed(list(given))}), which are numbered from 0 there; unset it, or mend it"
        )
    return own


def _own(environment: Mapping[str, str]) -> tuple[int, ...]:
    text = environment.get(ascend.RT_VISIBLE_DEVICES, "").strip()
    numbers = [decimal(part, _LAST) for part in text.split(",")] if text else []
    found = tuple(number for number in numbers if number is not None)
    if len(found) < len(numbers) or list(found) != sorted(set(found)):
        raise UsageError(f"{ascend.RT_VISIBLE_DEVICES} is {shown(text)}; it must be ascending numbers, as in 0,1,2,3")
    return found


def _numbers(variable: str, text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(",") if text.strip() not in ("", ascend.NO_DEVICES) else ():
        plain = part.strip()
        for prefix in ascend.VISIBLE_PREFIXES:
            plain = plain.removeprefix(prefix)
        low, dash, high = plain.partition("-") if plain == part.strip() else (plain, "", "")
        first, last = decimal(low, _LAST), decimal(high if dash else low, _LAST)
        if first is None or last is None or last < first:
            raise UsageError(
                f"{variable} is {shown(text)}; it must be numbers of devices, as in 0,1 or 0-3 or "
                f"{ascend.VISIBLE_PREFIXES[0]}0,{ascend.VISIBLE_PREFIXES[0]}1"
            )
        found |= set(range(first, last + 1))
    return tuple(sorted(found))
