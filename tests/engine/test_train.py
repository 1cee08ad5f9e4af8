"""The training loop: what one step of it does."""

import pytest
import torch

from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.engine import train
from diffmidi_core.engine.seeds import generator_for


def test_gradients_of_several_forward_passes_are_averaged(trainer, monkeypatch):
    draw = TokenDataset.draw
    monkeypatch.setattr(
        TokenDataset, "draw", lambda self, count, **where: draw(self, 4, **where) * (count // 4)
    )  # every pass sees the same windows
    monkeypatch.setattr(
        train,
        "generator_for",
        lambda seed, purpose, step, share, **where: generator_for(seed, purpose, step, **where),
    )  # and the same noise
    # One after the other: accelerate keeps the number of passes in a state that all accelerators of a process share.
    once = trainer("once")
    one = once._update()
    thrice = trainer("thrice", "train.accumulate=3")
    three = thrice._update()
    assert three["gradient_norm"] == pytest.approx(float(one["gradient_norm"]), rel=1e-4)
    assert float(three["loss"]) == pytest.approx(float(one["loss"]), rel=1e-5)
    for ours, theirs in zip(once.process.parameters(), thrice.process.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


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
    before = short.process.embedding[0].detach().clone()
    window = TokenDataset.window
    monkeypatch.setattr(
        TokenDataset,
        "window",
        lambda self, piece, at: type(window(self, piece, at))(
            piece, (start := window(self, piece, at).start), start + 16
        ),
    )
    for _ in range(3):
        short._update()
        short.step += 1
    torch.testing.assert_close(short.process.embedding[0], before, rtol=0, atol=0)
