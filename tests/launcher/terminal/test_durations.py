from __future__ import annotations

import pytest

from launcher.terminal import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("10s", 10), ("1.5h", 5400), ("5m12s", 312), ("1h30m", 5400), ("2d", 172800), ("500ms", 0.5)],
)
def test_parse(text: str, seconds: float) -> None:
    assert durations.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10 minutes", "-5s", "5m12", "1h-3m"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (312, "5m12s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 300, "3h5m"),
        (8 * 3600, "8h"),
        (48 * 3600, "2d"),
        (51 * 3600, "2d3h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (731 * 86400, "2y1d"),
        (9 * 365 * 86400 + 86400, "9y"),
    ],
)
def test_human_is_kubectls(seconds: float, text: str) -> None:
    """Values by `HumanDuration` of k8s.io/apimachinery/pkg/util/duration."""
    assert durations.human(seconds) == text
