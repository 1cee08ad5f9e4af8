"""The training loop: what one step of it does."""

from dataclasses import replace

import pytest
import torch

from diffmidi_core.data.dataset import TokenDataset


@pytest.mark.parametrize("cut", [(8, 1), (4, 2), (2, 4), (1, 8)])
def test_a_step_is_the_same_in_passes_of_any_size(trainer, cut):
    whole = trainer("whole", "train.batch_size=8")
    batch_size, accumulate = cut
    several = trainer("several", f"train.batch_size={batch_size}", f"train.accumulate={accumulate}")
    for step in range(2):
        one, other = whole._update(), several._update()
        for name, value in one.items():
            assert float(other[name]) == pytest.approx(float(value), rel=1e-4), f"{name} at step {step}"
        whole.step = several.step = step + 1
    for ours, theirs in zip(whole.process.parameters(), several.process.parameters(), strict=True):
        # AdamW moves a weight by about lr = 1e-3 however small its gradient, so that one near 0 makes much of rounding.
        torch.testing.assert_close(ours, theirs, atol=5e-5, rtol=1e-4)


def test_clipping_bounds_what_a_step_sees(trainer):
    assert "gradient_norm" not in trainer("free", "train.clip=0")._update()
    clipped = trainer("clipped", "train.clip=1e-3")
    norms = []
    step = clipped.optimiser.step

    def spy(*args, **kwargs):
        gradients = [each.grad for each in clipped.process.parameters()]
        norms.append(torch.stack([each.norm() for each in gradients]).norm().item())
        return step(*args, **kwargs)

    clipped.optimiser.step = spy
    clipped._update()
    assert norms == [pytest.approx(1e-3, rel=1e-2)]


def test_padding_is_in_no_step(trainer, monkeypatch):
    """Windows half as long, padded to the same length or cut to it, train to the same embedding of [PAD]: untouched."""
    short = trainer("short")
    before = short.process.tokens.embedding[0].detach().clone()
    draw = TokenDataset.draw
    monkeypatch.setattr(
        TokenDataset,
        "draw",
        lambda self, count, **where: [replace(each, end=each.start + 16) for each in draw(self, count, **where)],
    )
    for _ in range(3):
        short._update()
        short.step += 1
    torch.testing.assert_close(short.process.tokens.embedding[0], before, rtol=0, atol=0)
