"""Whole numbers shared out."""

from __future__ import annotations

import pytest

from diffmidi_core.draw.shares import shared_out


@pytest.mark.parametrize(
    ("total", "weights", "how", "parts"),
    [
        (10, [1, 1, 1], {}, [4, 3, 3]),
        (7, [5.5, 3.3, 0], {}, [4, 3, 0]),
        (3, [0, 0, 0], {}, [1, 1, 1]),
        (5, [100, 1, 0], {"least": 1}, [3, 1, 1]),
        (9, [8, 1, 0], {"most": 4}, [4, 4, 1]),
        (0, [1, 2], {}, [0, 0]),
    ],
)
def test_parts_are_in_proportion_and_come_to_the_total(total, weights, how, parts):
    assert shared_out(total, weights, **how) == parts


@pytest.mark.parametrize(("total", "how"), [(1, {"least": 1}), (9, {"most": 4})])
def test_what_cannot_be_shared_out_is_refused(total, how):
    with pytest.raises(ValueError, match="cannot be 2 parts"):
        shared_out(total, [1, 1], **how)
