"""Which files the stage export leaves, and which of them the stage infer310 takes. Pure."""

from __future__ import annotations

from launcher.errors import SpecError
from launcher.profiles import Profile
from launcher.spec import RunSpec
from runfolder import layout

FORMATS = {"MINDIR": ".mindir", "LITE": ".lite.mindir", "ONNX": ".onnx", "AIR": ".air"}
"""Export formats and the suffix of each one's file."""
LITE = "LITE"
"""What infer310 reads."""

_DEFAULT_FORMAT = "MINDIR"
_DEFAULT_FILE_NAME = "sphereface"


def file_format(spec: RunSpec) -> str:
    """Of `export.file_format`, which follows from what comes after where it is not given."""
    follows = f"{_DEFAULT_FORMAT},{LITE}" if layout.INFER310 in spec.stages else _DEFAULT_FORMAT
    return str(spec.export.get("file_format", follows))


def files(spec: RunSpec, profile: Profile) -> tuple[str, ...]:
    """One a format. Raises SpecError for a format that cannot be written there, or one that infer310 lacks."""
    formats = [part.strip() for part in file_format(spec).split(",") if part.strip()]
    if "AIR" in formats and profile.device_target != "Ascend":
        raise SpecError(f"export.file_format AIR can only be written on Ascend, not on {profile.name}; use MINDIR")
    if layout.INFER310 in spec.stages and LITE not in formats:
        raise SpecError(
            f"export.file_format is {','.join(formats)}, but infer310 after it reads {LITE}; add {LITE}, or leave "
            "export.file_format out"
        )
    return tuple(_file(spec, wanted) for wanted in formats)


def model(spec: RunSpec) -> str:
    """The file that infer310 takes."""
    return _file(spec, LITE)


def _file(spec: RunSpec, wanted: str) -> str:
    suffix = FORMATS[wanted]
    return str(spec.export.get("file_name", _DEFAULT_FILE_NAME)).removesuffix(suffix) + suffix
