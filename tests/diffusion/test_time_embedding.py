"""The sinusoid of the time."""

import pytest
import torch

from diffmidi.api.process import time_embedding


@pytest.mark.parametrize("width", [8, 5])
def test_sinusoid_agrees_with_the_original(golden, width):
    block = golden["time_embedding"]
    expected = torch.tensor(block[f"dim{width}"]["value"], dtype=torch.float64)
    ours = time_embedding(torch.tensor(block["tau"], dtype=torch.float64), width)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4)
    ours = time_embedding(torch.tensor(block["tau"], dtype=torch.float32), width)
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=1e-4)
