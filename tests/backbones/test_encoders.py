"""What every encoder of transformers does alike."""

import pytest
import torch

from diffmidi_core.registry import find


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["bert", "electra"])
def test_both_attention_kernels_compute_the_same(name, masked):
    offer = find("backbone", name)
    torch.manual_seed(0)
    one, other = (
        offer.build({**offer.load().tiny, "dropout": 0.0, "attention": kernel}, length=12).eval()
        for kernel in ("sdpa", "eager")
    )
    other.load_state_dict(one.state_dict())
    x = torch.randn(3, 12, one.width)
    mask = torch.arange(12) < torch.tensor([[12], [7], [1]]) if masked else None
    kept = torch.ones(3, 12, dtype=torch.bool) if mask is None else mask
    torch.testing.assert_close(one(x, mask)[kept], other(x, mask)[kept], atol=1e-5, rtol=1e-4)
