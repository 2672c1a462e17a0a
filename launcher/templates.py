"""Jinja templates of manifests, filled in so that no value can change their structure. Pure but for reading our own.

Values reach the YAML through the filter `json` alone (anything else is refused), names that a template knows nothing of
are errors, the result is read back strictly, and templates run in a sandbox: those of a run may be somebody else's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from launcher.errors import SpecError
from runfolder import strict_yaml

SUFFIX = ".yaml.j2"

_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_ASCII = re.compile(r"[^ -~]")


class _Literal(str):
    """YAML text that the filter `json` made."""

    __slots__ = ()


def fill(name: str, values: Mapping[str, Any], own: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The one document of template `name` (without suffix); `own` are a user's templates, by file name.

    Raises SpecError with `file:line` for a template that does not give one mapping.
    """
    import jinja2

    file = f"{name}{SUFFIX}"
    source = (own or {}).get(file)
    try:
        template = _ours(file) if source is None else _environment().from_string(source)
        text = template.render(values)
    except jinja2.TemplateSyntaxError as error:
        raise SpecError(f"template {file}:{error.lineno}: {error.message}") from None
    except Exception as error:  # an expression of a user's template may raise anything
        where = f"{file}:{line}" if (line := _line(error)) else file
        raise SpecError(f"template {where}: {str(error) or type(error).__name__}") from None
    try:
        return strict_yaml.parse(text, f"filled template {file}").values
    except strict_yaml.StrictYamlError as error:
        raise SpecError(str(error)) from None


def our_names() -> tuple[str, ...]:
    """File names of the templates that a user may replace."""
    found = [item.name for item in resources.files("k8s_templates").iterdir()]
    return tuple(sorted(name for name in found if name.endswith(SUFFIX)))


def yaml_json(value: Any) -> _Literal:
    """JSON that YAML reads as the same value: it wants control characters escaped that JSON does not, and characters
    beyond U+FFFF as one escape, not two.

    Raises ValueError for text that is no Unicode (a lone surrogate), NaN and infinity.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=_undefined)
    if _SURROGATE.search(text):
        raise ValueError("a text has bytes that are not UTF-8")
    return _Literal(_NOT_ASCII.sub(lambda found: f"\\U{ord(found.group()):08x}", text))


def _undefined(value: Any) -> Any:
    raise TypeError(f"{value} is nothing that YAML has")  # an undefined name says in its str() which it is


@cache
def _environment() -> Any:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, finalize=_only_json, keep_trailing_newline=True
    )
    environment.filters["json"] = yaml_json
    return environment


@cache
def _ours(file: str) -> Any:
    return _environment().from_string((resources.files("k8s_templates") / file).read_text(encoding="utf-8"))


def _only_json(value: Any) -> Any:
    if isinstance(value, _Literal):
        return value
    raise ValueError("a value must be written as {{ value | json }}")


def _line(error: BaseException) -> int | None:
    """The line of the template: its frames are the ones of a file called <template>."""
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
