"""metrics.jsonl: a line for each time that training told its figures. Light."""

from __future__ import annotations

import json
import math

MOST_LOG = 2**30
"""Bytes of a log that is read."""


def log_line(text: str) -> dict[str, float] | None:
    """The numbers of a line, its step among them; None for what is no such line.

    That is what a killed run left half-written, or what somebody else wrote.
    """
    try:
        line = json.loads(text)
        if not isinstance(line, dict):
            return None
        found = {
            name: value for name, value in line.items() if isinstance(value, int | float) and float(value) == value
        }
    except (ValueError, OverflowError, RecursionError):
        return None
    return found if math.isfinite(found.get("step", math.nan)) else None
