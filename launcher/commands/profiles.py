"""`launcher profiles ACTION`: the kinds of devices that are known, ours and the user's own."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from launcher import profiles
from launcher.errors import one_line
from launcher.names import user_folder
from launcher.profiles import Finding, Profile
from launcher.terminal import arguments as shared
from launcher.terminal import output
from launcher.terminal.completion import device_names
from launcher.terminal.session import Session

ACTIONS = {
    "list": "list all profiles",
    "show": "print one profile, whole, and where it came from",
    "check": "say all that is wrong with the file of a profile",
}

EXIT_INVALID = 2

_OURS = "built in"
_HEADERS = ("NAME", "TARGET", "RESOURCE", "START", "BOARD", "SOURCE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Look at the profiles of devices: what --device KIND stands for. A file of your own in\n"
        "~/.config/launcher/profiles/NAME.yaml adds a kind, or takes the place of ours of that name.\n"
        "What each key means: docs/profiles.md.",
        "launcher profiles list",
        "launcher profiles show ascend910 > ~/.config/launcher/profiles/mine.yaml",
        "launcher profiles check ~/.config/launcher/profiles/mine.yaml",
    )
    for name, action in shared.add_actions(parser, ACTIONS).items():
        _ADD[name](action)
        shared.add_output(action, "json", "yaml")


def run(arguments: argparse.Namespace, session: Session) -> int:  # noqa: ARG001  a verb's signature
    return _RUN[arguments.action](arguments)


def _add_list(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "List all profiles with what they ask a cluster for and where they came from. One that is wrong is listed too.",
        "launcher profiles list",
    )


def _add_show(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Print a profile with the defaults of keys that its file leaves out; what is empty is left out. Without -o it\n"
        "can be kept as the file of a profile.",
        "launcher profiles show gpu",
        "launcher profiles show ascend910b -o json",
    )
    name = parser.add_argument("name", metavar="NAME", help="profile, as --device names it")
    name.completer = device_names  # type: ignore[attr-defined]


def _add_check(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Check the file of a profile, wherever it lies; every finding has its line.\n\n"
        "Exit code: 0 nothing, or warnings only; 2 errors, or a file that cannot be read.",
        "launcher profiles check mine.yaml",
        "launcher profiles check mine.yaml -o json",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="YAML file of the profile")


def _list(arguments: argparse.Namespace) -> int:
    rows, listed = [], []
    for name, path in sorted(profiles.files().items()):
        profile, findings = profiles.check(path)
        source = _source(path)
        listed.append(_data(name, profile, source, findings))
        if profile is None:
            rows.append((name, "(wrong)", "", "", "", source))
        else:
            rows.append((name, profile.device_target, profile.resource, profile.start, profile.board, source))
    if arguments.output:
        print(output.document({"profiles": listed}, arguments.output))
    else:
        print(output.table(_HEADERS, rows))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    profile = profiles.load_profile(arguments.name)
    path = profiles.files()[arguments.name]
    source = _source(path)
    if arguments.output:
        print(output.document({"profile": _data(profile.name, profile, source, ())}, arguments.output))
        return 0
    print(one_line(f"# {profile.name}: {source}"))
    if not profiles.is_ours(path) and profiles.is_built_in(profile.name):
        print("# It takes the place of the one that is built in.")
    print(output.manifests([profiles.as_document(profile)], "yaml"))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    profile, findings = profiles.check(arguments.file)
    if arguments.output:
        data = {"file": str(arguments.file), "valid": profile is not None, "findings": list(map(_finding, findings))}
        print(output.document(data, arguments.output))
    else:
        for finding in findings:
            print(one_line(f"{_level(finding)}: {finding.where}: {finding.text}"))
        if profile is not None:
            folder = user_folder(os.environ) / "profiles"
            where = f"--device {profile.name}"
            if arguments.file.absolute().parent != folder:
                where += f", once it lies in {folder}"
            print(one_line(f"{arguments.file}: valid ({profile.device_target}; {where})"))
    return 0 if profile is not None else EXIT_INVALID


def _source(path: Path) -> str:
    return _OURS if profiles.is_ours(path) else str(path)


def _data(name: str, profile: Profile | None, source: str, findings: tuple[Finding, ...]) -> dict[str, Any]:
    """`findings` are shown of a profile that is wrong only."""
    if profile is None:
        return {"name": name, "source": source, "findings": list(map(_finding, findings))}
    return {"name": name, "source": source, **{key: getattr(profile, key) for key in profiles.KEYS}}


def _finding(finding: Finding) -> dict[str, str]:
    return {"level": _level(finding), "where": finding.where, "text": finding.text}


def _level(finding: Finding) -> str:
    return "error" if finding.is_error else "warning"


_ADD = {"list": _add_list, "show": _add_show, "check": _add_check}
_RUN = {"list": _list, "show": _show, "check": _check}
