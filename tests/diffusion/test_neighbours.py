"""The convolution before the backbone: how far a position sees, and that padding is not seen."""

import pytest
import torch

from diffmidi.api.process import Neighbours


@pytest.fixture
def neighbours():
    torch.manual_seed(0)
    return Neighbours(width=6, reach=2)


def test_a_position_sees_as_far_as_the_reach(neighbours):
    hidden = torch.randn(1, 9, 6)
    other = hidden.clone()
    other[0, 4] += torch.randn(6)
    changed = (neighbours(hidden) != neighbours(other)).any(-1)[0]
    assert changed.tolist() == [2 <= place <= 6 for place in range(9)]


def test_what_is_left_out_is_seen_by_none(neighbours):
    hidden, mask = torch.randn(2, 9, 6), torch.ones(2, 9, dtype=torch.bool)
    mask[:, 6:] = False
    other = hidden.clone()
    other[:, 6:] = torch.randn(2, 3, 6)
    assert neighbours(hidden, mask)[:, :6].equal(neighbours(other, mask)[:, :6])
    torch.testing.assert_close(neighbours(hidden, mask)[:, :6], neighbours(hidden[:, :6]))
