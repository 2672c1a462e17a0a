"""Texts that break what is put together from texts: seeded, so that a failure can be repeated by its number."""

from __future__ import annotations

import random

FRAGMENTS = (
    *(
        "'",
        '"',
        "\\",
        "`",
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        " #",
        "&a",
        "*a",
        "!!str ",
        "|",
        ">",
        "%",
        "@",
        "-",
        "- ",
        ",",
    ),
    *("\n", "\r\n", "\n\n  ", "\t", "\x07", "\x1b[31m", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe", "\xa0", "\u202e"),
    *("{{", "}}", "{%", "%}", "{#", "#}", "{{ 7 * 7 }}", "{% raw %}", "{{ name | json }}", "{{ ''.__class__ }}"),
    *("$", "$$", "$(", "$(HOME)", "$$(HOME)", "$(A)", ")", "${HOME}", "$(rm -rf /)", ";", "&&", "|| true"),
    *(
        "\n---\n",
        "\n...\n",
        "kind: Secret\n",
        "\n      privileged: true",
        "},{",
        '"}]',
        "\u0000"[:0],
        "null",
        "~",
        "y",
        "1e3",
    ),
    *("ä", "漢字", "\U0001f600", "\U0010ffff", "e\u0301", "\\u0041", "\\ud83d", "\\U0001f600", "%s", "%(a)s", "{0}"),
    *("a", "B", "9", "_", ".", "/", "=", " ", "name", "true", "no", "0x10", "-1", ".inf", "2026-01-01", "<<", "=", "?"),
)


def text(source: random.Random, *, longest: int = 12) -> str:
    """Some fragments in a row; one in fifty is very long."""
    made = "".join(source.choices(FRAGMENTS, k=source.randint(0, longest)))
    return made * 400 if source.random() < 0.02 else made
