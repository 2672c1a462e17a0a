"""Writes `docs/configuration.md`: every key of `sphereface`, from the dataclass itself.

Run this after a change of a key; a test compares the file with what would be written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runfolder import atomic
from sphereface import config

TARGET = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

HEAD = """# Configuration of sphereface

Every key works in a YAML file (`--config FILE`), as a flag (`--lr 0.1`), in a spec (`train: {lr: 0.1}`) and with
`launcher submit --set train.lr=0.1`. Flags win over the file, the file over defaults. From `sphereface/config.py` by
`tools/make_configuration_docs.py`.
"""

SECTIONS = {
    config.EVERY: "Read by every stage",
    config.NETWORK: "train, evaluate and export",
    ("train",): "train",
    config.CHECKPOINT: "evaluate and export",
    config.PAIRS: "evaluate and infer310",
    ("evaluate",): "evaluate",
    ("export",): "export",
    ("infer310",): "infer310",
}


def text() -> str:
    parts = [HEAD]
    for stages, title in SECTIONS.items():
        rows = [row(key) for key, field in config.KEYS.items() if field.metadata["stages"] == stages]
        parts.append(
            f"## {title}\n\n| key | default | what it is | allowed |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
        )
    return "\n".join(parts)


def row(key: str) -> str:
    field = config.KEYS[key]
    default = f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"
    return f"| `{key}` | {default if field.default != '' else ''} | {field.metadata['help']} | {allowed(key)} |"


def allowed(key: str) -> str:
    limits = config.KEYS[key].metadata
    if limits["choices"]:
        return ", ".join(f"`{choice}`" for choice in limits["choices"])
    words = [] if config.type_of(key) is str else [config.type_of(key).__name__]
    words += ["above 0"] if limits["positive"] else []
    words += [f"from {limits['low']}"] if limits["low"] is not None else []
    words += [f"to {limits['high']}"] if limits["high"] is not None else []
    words += [limits["form"]] if "form" in limits else []
    return "; ".join([" ".join(words), *map(ruled, limits.get("rules", ()))]).removeprefix("; ")


def ruled(rule: Mapping[str, Any]) -> str:
    """One rule of a key with others, in words."""
    values = " or ".join(f"`{value}`".lower() for allowed in rule.get("when", {}).values() for value in allowed)
    when = f"with {' and '.join(f'`{key}`' for key in rule['when'])} {values}: " if values else ""
    if "at_most" in rule:
        return f"{when}to `{rule['at_most']}`"
    if "needed" in rule:
        return f"{when}needed"
    if "unused" in rule:
        return f"{when}left out"
    words = [f"from {rule['low']}"] if "low" in rule else []
    words += [f"to {rule['high']}"] if "high" in rule else []
    words += [", ".join(map(str, rule["choices"]))] if "choices" in rule else []
    return when + " ".join(words)


if __name__ == "__main__":
    atomic.write_text(TARGET, text())
