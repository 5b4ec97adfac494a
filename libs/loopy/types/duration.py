"""Durations as authors write them: `90s`, `20m`, `2h`, `1d`."""

import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhd])")

DURATION_PATTERN = rf"\A{_DURATION.pattern}\Z"


def seconds_of(text: str) -> float | None:
    """The seconds of `20m`; None when `text` is not a duration."""
    found = _DURATION.fullmatch(text)
    return float(found[1]) * _UNITS[found[2]] if found else None
