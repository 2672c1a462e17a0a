"""Values taken out of JSON objects, with a finding for each that is missing or not of the form that HCCL reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launcher import ascend
from launcher.rank_tables.json_text import kind
from launcher.rank_tables.rules import Finding, finding
from launcher.rank_tables.values import decimal, ip, shown
from runfolder.strict_yaml import did_you_mean


class Reader:
    """Takes values out of JSON objects and keeps a finding for each that is missing or of the wrong form."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def report(self, rule: str, path: str, text: str) -> None:
        self.findings.append(finding(rule, path, text))

    def status(self, document: Mapping[str, Any]) -> str:
        status = self.text(document, "status", "", required=True)
        if status is not None and status != ascend.COMPLETED:
            unfinished = "; its operator has not written the table yet" if status == ascend.INITIALIZING else ""
            self.report("status", ".status", f"status is {shown(status)}, not '{ascend.COMPLETED}'{unfinished}")
        return status or ""

    def version(self, document: Mapping[str, Any]) -> str:
        """The version; of a file that names none, or none that is known, the one that it looks like."""
        version = self.text(document, "version", "")
        if version in ascend.VERSIONS:
            if version == ascend.HETEROGENEOUS:
                self.report("heterogeneous", ".version", "version 1.1 is recognised, not checked")
            return version
        if "version" not in document:
            old = "; 'group_list' belongs to the first form of tables, before 1.0" if "group_list" in document else ""
            self.report("version", ".version", f"version is missing{old}")
        elif version is not None:
            hint = did_you_mean(version, ascend.VERSIONS) if len(version) < 10 else ""
            self.report("version", ".version", f"version is {shown(version)}, which nobody defines{hint}")
        if "rank_list" in document:
            return ascend.LEVELS
        return ascend.SUPER_POD if "super_pod_list" in document else "1.0"

    def known(self, holder: Mapping[str, Any], path: str, keys: Sequence[str]) -> None:
        for key in holder:
            if key not in keys:
                self.report(
                    "unknown-key", f"{path}{step(key)}", f"no key {shown(key)} is known{did_you_mean(key, keys)}"
                )

    def text(self, holder: Mapping[str, Any], key: str, path: str, *, required: bool = False) -> str | None:
        """The string at `key`; None where it is missing or no string."""
        if key not in holder:
            if required:
                self.report("missing-key", f"{path}.{key}", f"{key} is missing")
            return None
        value = holder[key]
        if isinstance(value, str):
            return value
        self.report("json-string", f"{path}.{key}", f"{key} is {shown(value)}, {kind(value)}; it must be a string")
        return None

    def number(self, holder: Mapping[str, Any], key: str, path: str, rule: str, *, required: bool = True) -> int | None:
        """1.x: the number written as a string of decimal digits."""
        text = self.text(holder, key, path, required=required)
        if text is None:
            return None
        number = decimal(text)
        if number is None:
            self.report(rule, f"{path}.{key}", f'{key} is {shown(text)}; it must be decimal digits, as in "3"')
        return number

    def integer(self, holder: Mapping[str, Any], key: str, path: str, *, required: bool = True) -> int | None:
        """2.0: the number as such."""
        if key not in holder:
            if required:
                self.report("missing-key", f"{path}.{key}", f"{key} is missing")
            return None
        value = holder[key]
        if isinstance(value, int) and not isinstance(value, bool):
            if 0 <= value <= ascend.MAX_UINT32:
                return value
            self.report("json-integer", f"{path}.{key}", f"{key} is {shown(value)}; it must be 0 or more, of 32 bits")
            return None
        self.report("json-integer", f"{path}.{key}", f"{key} is {shown(value)}, {kind(value)}; it must be an integer")
        return None

    def objects(self, holder: Mapping[str, Any], key: str, path: str) -> list[tuple[str, Mapping[str, Any]]] | None:
        """The objects of the list at `key`, each with its path; None where there is no list."""
        if key not in holder:
            self.report("missing-key", f"{path}.{key}", f"{key} is missing")
            return None
        value = holder[key]
        if not isinstance(value, list):
            self.report("structure", f"{path}.{key}", f"{key} is {kind(value)}; it must be a list")
            return None
        found: list[tuple[str, Mapping[str, Any]]] = []
        for index, item in enumerate(value):
            where = f"{path}.{key}[{index}]"
            if isinstance(item, dict):
                found.append((where, item))
            else:
                self.report("structure", where, f"{shown(item)} is {kind(item)}; it must be an object")
        return found

    def address(self, holder: Mapping[str, Any], key: str, path: str, rule: str) -> str:
        """The address at `key` as it is written; "" where there is none (operators write that too) or a wrong one."""
        text = self.text(holder, key, path)
        if text and ip(text) is None:
            self.report(rule, f"{path}.{key}", f"{key} is {shown(text)}, which no network card can have")
            return ""
        return text or ""


def step(key: str) -> str:
    """A key in a path: `.key`, or `["odd key"]` where jq needs it."""
    return f".{key}" if key.isidentifier() and key.isascii() else f"[{shown(key)}]"
