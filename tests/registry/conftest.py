"""Declarations to install."""

from __future__ import annotations

from collections.abc import Callable

import pytest

GOOD = """
from diffmidi.api import Declaration, Field, Options

class Power(Options):
    power: float = Field(2.0, gt=0, le=8, description="how steep")
    shape: str = Field("up", description="which way")

declared = Declaration(summary="falls as a power", implementation="{module}_parts:Part", options=Power)
"""


@pytest.fixture
def good() -> Callable[[str], str]:
    """The text of a declaration module whose implementation is in `{module}_parts`."""
    return lambda module: GOOD.format(module=module)
