"""Writes the failures in `docs/ascend-failures.md` from `launcher/failures/ascend.yaml`.

Run this after a change of it; a test compares the file with what would be written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from launcher.failures import table
from launcher.failures.table import Failure, Sign
from runfolder import atomic

TARGET = Path(__file__).resolve().parent.parent / "docs" / "ascend-failures.md"


def text(page: str) -> str:
    """The page with the failures as they should be. Raises ValueError for a page without their place."""
    known = table.ascend()
    for name, part in (
        ("overview", overview(known.failures)),
        ("failures", "\n".join(line for failure in known.failures for line in section(failure))),
        ("sources", "".join(f"- `{name}`: {what}\n" for name, what in known.sources.items())),
    ):
        place = re.compile(rf"(?<=<!-- {name} -->\n).*(?=<!-- end of {name} -->)", re.DOTALL)
        if not place.search(page):
            raise ValueError(f"the page has no place for {name}")
        page = place.sub(lambda _, part=part: part, page)  # type: ignore[misc]
    return page


def overview(failures: Iterable[Failure]) -> str:
    rows = (f"| [`{known.name}`](#{known.name}) | {known.title} | {', '.join(_codes(known))} |\n" for known in failures)
    return f"| failure | what it is | codes |\n|---|---|---|\n{''.join(rows)}"


def section(failure: Failure) -> Iterator[str]:
    yield f"## {failure.name}\n"
    yield f"{failure.title[0].upper()}{failure.title[1:]}.\n"
    yield f"**Cause.** {failure.cause}\n"
    yield f"**Remedy.** {failure.remedy}\n"
    if failure.note:
        yield f"**Note.** {failure.note}\n"
    if failure.follows:
        others = "any other failure" if failure.follows == (table.ANY,) else ", ".join(failure.follows)
        yield f"**Follows** {others}: listed after it where both are found.\n"
    yield "| a line with | documented |\n|---|---|"
    for sign in failure.signs:
        yield f"| {_texts(sign)} | {_cell(sign.source)} |"
    yield ""


def _codes(failure: Failure) -> list[str]:
    return [sign.texts[0] for sign in failure.signs if sign.is_code]


def _texts(sign: Sign) -> str:
    return " and ".join(f"`{_cell(part)}`" for part in sign.texts)


def _cell(words: str) -> str:
    return words.replace("|", "&#124;")


if __name__ == "__main__":
    atomic.write_text(TARGET, text(TARGET.read_text(encoding="utf-8")))
