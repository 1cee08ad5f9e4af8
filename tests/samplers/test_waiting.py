"""No step of a sampler waits for the device: on `meta` there are no numbers, and whoever asks for one gets an error."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from diffmidi.api.sampler import Canvas, RowDraws
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import LENGTH, context_of, smallest

STEPS = 5


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch):
    """Autocast knows no device `meta`."""
    monkeypatch.setattr(torch, "autocast", lambda *given, **options: nullcontext())


@pytest.mark.parametrize("options", [{}, {"prediction": "clamp"}, {"prediction": "mean", "top_p": 0.9}], ids=str)
@pytest.mark.parametrize("name", ["ddpm", "ddim", "dpmpp", "heun"])
def test_a_gaussian_sampler_waits_after_its_last_step_at_the_earliest(name, options):
    process = smallest("process", "gaussian", **context_of("process")).eval().to("meta")
    canvas, done = Canvas.blank(2, LENGTH - 2, device="meta"), []
    sampler = find("sampler", name).build({"legal": False, **options})
    with pytest.raises((NotImplementedError, RuntimeError)):  # are the numbers finite?
        sampler.sample(
            process, canvas, steps=STEPS, draws=RowDraws.seeded(0, 2), on_step=lambda step, of: done.append(step)
        )
    assert done == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("layout", ["aligned", "run"])
@pytest.mark.parametrize("options", [{}, {"temperature": 0.5, "top_p": 0.9}], ids=str)
def test_masked_tokens_are_drawn_without_waiting(layout, options):
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    process = smallest("process", "masked", **{**context_of("process"), "tokenizer": tokenizer}).eval().to("meta")
    canvas = Canvas.blank(2, LENGTH - 2, device="meta")
    z = canvas.ids.masked_fill(~canvas.fixed, tokenizer.mask_id)
    logits = process.denoise(z, process.hidden_now(z))
    tokens, log_p = process.draw(logits, z, RowDraws.seeded(0, 2), wanted=~canvas.fixed, **options)
    assert tokens.device.type == log_p.device.type == "meta"
