"""What the bound and the loss of a process promise, on texts that are few enough to be listed (`toy_language`).

Whatever a model is, it cannot tell N equally likely texts with fewer than log2(N) bits on average: a bound below that
is none.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import torch
from torch import Tensor

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.diffusion.autoregressive_process import AutoregressiveProcess
from diffmidi_core.diffusion.token_diffusion import TokenDiffusion
from diffmidi_core.registry import Offer
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect
from diffmidi_core.testing.surroundings import close, generator
from diffmidi_core.testing.toy_language import batch_of, bits_of, every_text, toy_process_of

STEPS, ROWS, RATE = 150, 32, 0.01
"""A training: optimiser steps, texts in each, learning rate."""
REPEATS = 16
"""How often each text is read for a mean, with other noise."""
ERRORS = 5
"""Standard errors that a mean may be off by chance: once in a million."""
LEFT = 0.75
"""Of what the bound is above one bit, the share that may be left after a training; a slow network has 0.6."""
SLACK = 0.02
"""Bits beside that, for float32."""
LEVELS = 3


def check_bound_is_no_less_than_the_entropy(component: Component) -> None:
    """On N equally likely texts the mean bound is log2(N) bits or more, before a training on them and after it."""
    texts = every_text(_new(component).tokenizer)
    for process, when in ((_new(component), "untrained"), (_trained(component, many=True), "trained on them")):
        mean, error = _mean(process, texts)
        expect(
            mean >= bits_of(texts) - ERRORS * error - SLACK,
            f"{when}, the bound of {len(texts)} equally likely texts is {mean:.3f} bits on average, and no model can be"
            f" below log2({len(texts)}) = {bits_of(texts):.3f}: look at factors and units of bound() (bits; a sum over"
            " all levels), and whether the network sees the tokens that it is to predict",
        )


def check_training_lowers_the_bound(component: Component) -> None:
    """150 steps on two texts bring their bound well down towards one bit, and not below."""
    process = _new(component)
    texts = _two(process.tokenizer)
    before, _ = _mean(process, texts)
    after, error = _mean(_trained(component, many=False), texts)
    expect(
        after >= 1 - ERRORS * error - SLACK,
        f"trained on two texts, the bound of each is {after:.3f} bits on average, and no model can be below 1: look at"
        " factors and units of bound(), and whether the network sees the tokens that it is to predict",
    )
    expect(
        after - 1 <= LEFT * (before - 1) + ERRORS * error,
        f"{STEPS} steps on two texts bring their bound from {before:.3f} to {after:.3f} bits, which should come near 1:"
        " look at the sign of 'loss', and whether its gradient comes from the same prediction as the bound",
    )


def check_few_levels_agree_with_all(component: Component) -> None:
    """The bound by a few levels is on average that by all of them, of a model that is sure of some texts."""
    process = _trained(component, many=False)
    if process.exact:
        return
    texts = every_text(process.tokenizer)
    every, error = _mean(process, texts)
    for levels in (1, LEVELS):
        some, its = _mean(process, texts, levels=levels, repeats=4 * REPEATS)
        expect(
            abs(some - every) <= ERRORS * (error**2 + its**2) ** 0.5 + SLACK,
            f"the bound is {every:.3f} bits over all levels and {some:.3f} by levels={levels}: the sum over those drawn"
            " is divided by their probabilities (all levels / drawn ones where they are drawn evenly)",
        )


def check_what_is_not_seen_changes_nothing(component: Component) -> None:
    """What a token costs hangs on the tokens that are seen at it, and on no others."""
    process = _trained(component, many=False)
    batch = batch_of(every_text(process.tokenizer)[:8])
    other = replace(batch, ids=batch.ids.clone())
    other.ids[:, 3:-1] = every_text(process.tokenizer)[-8:, 3:-1]
    with torch.no_grad():
        if isinstance(process, AutoregressiveProcess):
            one, two = (torch.stack(_terms(process, each)).sum(0)[:, :3] for each in (batch, other))
            expect(close(one, two), "tokens further on change what a token costs: look at the mask of predict()")
        elif isinstance(process, TokenDiffusion):
            for time in (0.3, 0.9):
                _expect_unseen(process, batch, other.ids, torch.full((8,), time))


def _expect_unseen(process: TokenDiffusion, batch: Batch, others: Tensor, t: Tensor) -> None:
    """One z that two texts can have become: tokens that they share cost the same in both."""
    m = process.level(t)
    z = process.corrupted(batch, m, generator())
    possible = process.corruption.log_probability(z, others, m).isfinite()
    other = replace(batch, ids=torch.where(possible, others, batch.ids))
    shared = other.ids == batch.ids
    one, two = (process.objective(each, z, t)[shared] for each in (batch, other))
    expect(
        close(one, two),
        "at one z, other clean tokens elsewhere change what a token costs: look at what is given to the network, noisy"
        " tokens and never those of the batch",
    )


def _terms(process: Process, batch: Batch) -> list[Tensor]:
    return list(process.bound(batch, generator()).terms.values())


def _two(tokenizer: Tokenizer) -> Tensor:
    """Two texts that differ everywhere."""
    texts = every_text(tokenizer)
    return texts[[len(texts) // 3, -len(texts) // 3 + 1]]


def _mean(process: Process, texts: Tensor, *, levels: int | None = None, repeats: int = REPEATS) -> tuple[float, float]:
    """The mean bound of a text in bits, and its standard error over rows."""
    rows = texts.repeat(max(repeats, 256 // len(texts)), 1)
    with torch.no_grad():
        bits = process.bound(batch_of(rows), generator(7), levels=levels).bits.double()
    # Texts differ among them whatever is drawn: only their own spread is chance.
    by_text = bits.view(-1, len(texts))
    return float(bits.mean()), float((by_text.var(0).mean() / len(bits)).sqrt())


def _new(component: Component) -> Process:
    return toy_process_of(component.offer, component.options)


def _trained(component: Component, *, many: bool) -> Process:
    return trained(component.offer, component.options.model_dump_json(), many)


@functools.lru_cache(maxsize=4)
def trained(offer: Offer, options: str, many: bool, backbone: str | None = None, seed: int = 0) -> Process:
    """A process that was trained on all texts, or on two of them; nobody may change it."""
    chosen: Options = offer.load().options.model_validate_json(options)
    process = toy_process_of(offer, chosen, backbone=backbone, seed=seed).train()
    texts = every_text(process.tokenizer) if many else _two(process.tokenizer)
    optimiser, drawn = torch.optim.Adam(process.parameters(), lr=RATE), generator(seed + 1)
    with torch.random.fork_rng(devices=[]):  # for dropout
        torch.manual_seed(seed)
        for _ in range(STEPS):
            some = texts[torch.randint(len(texts), (ROWS,), generator=drawn)]
            optimiser.zero_grad()
            torch.autograd.backward(process.loss(batch_of(some), drawn)["loss"])
            optimiser.step()
    return process.eval().requires_grad_(False)
