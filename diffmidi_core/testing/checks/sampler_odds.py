"""What a sampler promises of what it draws: the odds that the denoiser tells, in any number of steps, on any canvas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from diffmidi_core.contracts.canvas import ANY, Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.places import EVERYWHERE, Places
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Sampler
from diffmidi_core.contracts.tokenizer import SPECIALS
from diffmidi_core.diffusion.autoregressive_process import AutoregressiveProcess
from diffmidi_core.diffusion.gaussian_diffusion import GaussianDiffusion
from diffmidi_core.diffusion.token_diffusion import TokenDiffusion
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect
from diffmidi_core.testing.surroundings import generator, of_family
from diffmidi_core.testing.toy_language import allowed_at, every_text, toy_process_of

SHARE = 0.7
"""How often the denoiser would have the first of the two tokens of a note's first place."""
ROWS, STEPS = 3000, 20
ERRORS = 5
COARSE = 0.06
"""What few steps through normal noise may add."""


def check_odds_are_those_of_the_denoiser(component: Component) -> None:
    """A denoiser of 70 to 30 gives 70 to 30, in few steps and many; by its default options."""
    process = _process(component)
    denoise = told(process, SHARE)
    if denoise is None:
        return
    texts = every_text(process.tokenizer)[:1].repeat(ROWS, 1)
    fixed = torch.ones_like(texts, dtype=torch.bool)
    fixed[:, 1] = False
    canvas = Canvas.of(texts.masked_fill(~fixed, process.tokenizer.mask_id), fixed)
    slack = COARSE if isinstance(process, GaussianDiffusion) else 0.0
    bound = ERRORS * (SHARE * (1 - SHARE) / ROWS) ** 0.5 + slack
    for steps in (4, STEPS):
        found = drawn_by(component.build(), process, canvas, steps, denoise=denoise)[:, 1]
        share = float((found == len(SPECIALS)).float().mean())
        expect(
            abs(share - SHARE) <= bound,
            f"a denoiser gives a token p = {SHARE}, and in {steps} steps it is {share:.3f} of {ROWS} draws (within"
            f" {bound:.3f} by chance): look at argmax in place of a draw, at temperatures, and at the posterior",
        )


def check_more_steps_are_more_evaluations(component: Component) -> None:
    """`steps` counts: never more evaluations than asked for, and with more steps there are more."""
    process = _process(component)
    texts = every_text(process.tokenizer)[::5]
    few = texts.shape[1]
    calls = {}
    for steps in (few, STEPS) if component.offer.sampler().step_per_token else (1, 2, 3, STEPS):
        counted = Counted(process.oracle(texts))
        drawn_by(component.build(), process, blank(texts), steps, denoise=counted)
        calls[steps] = len(counted.places)
        expect(0 < calls[steps] <= steps, f"{steps} steps took {calls[steps]} evaluations: at most one for each step")
    if not component.offer.sampler().step_per_token:
        expect(
            calls[STEPS] > calls[3] or calls[STEPS] > calls[2],
            f"{STEPS} steps took {calls[STEPS]} evaluations and 2 took {calls[2]}: `steps` is not looked at",
        )


def check_a_row_is_the_same_among_two_and_four(component: Component) -> None:
    """A row becomes the same alone, among two rows and among four, with a share of each fixed."""
    process = _process(component)
    texts = every_text(process.tokenizer)[::9][:4]
    kept = torch.rand(texts.shape, generator=generator(4)) < 0.2
    canvas = _holes(process, texts, kept)
    sampler, found = component.build(), {}
    for rows in ([0], [0, 1], [0, 1, 2, 3], [3, 0]):
        draws = RowDraws([generator(row) for row in rows])
        ids = sampler.sample(process, canvas.rows(torch.tensor(rows)), steps=STEPS, draws=draws).ids
        found[len(rows), rows[0]] = ids[rows.index(0)]
    first = found[1, 0]
    expect(
        all(torch.equal(first, ids) for ids in found.values()),
        "one row becomes another among two or four rows: draw from `draws` by row, and look at means and orders over"
        " the whole batch",
    )


def check_any_legal_canvas_is_filled_legally(component: Component) -> None:
    """Holes, sets of tokens, both together: what stands stays, what is drawn is allowed, and the text is legal."""
    process = _process(component)
    texts = every_text(process.tokenizer)
    for name, canvas in _canvases(process, texts).items():
        found = drawn_by(component.build(), process, canvas, STEPS)
        expect(torch.equal(found[canvas.fixed], canvas.ids[canvas.fixed]), f"{name}: what stands on the canvas changes")
        admitted = canvas.admitted()
        if admitted is not None:
            inside = admitted.gather(-1, found[..., None])
            expect(
                inside.all(), f"{name}: {int((~inside).sum())} tokens are drawn that are in none of the canvas's sets"
            )
        faults = sum(process.tokenizer.faults(row.numpy()) for row in found)
        expect(not faults, f"{name}: {faults} of the tokens drawn are not legal: draw under the process's support")


def check_the_condition_reaches_the_denoiser(component: Component) -> None:
    """Labels on the canvas are among the places that the denoiser is told, at every evaluation."""
    process = _process(component)
    if not process.conditions:
        return
    process.learn_labels({"key": 3})
    texts = every_text(process.tokenizer)[::9]
    key = torch.arange(len(texts)) % 3 + 1
    canvas = blank(texts)
    canvas = Canvas(canvas.ids, canvas.allowed, canvas.attention_mask, condition={"key": key})
    counted = Counted(process.oracle(texts))
    drawn_by(component.build(), process, canvas, STEPS, denoise=counted)
    heard = [places.condition.get("key") for places in counted.places]
    expect(
        all(each is not None and torch.equal(each, key) for each in heard),
        "the canvas has labels, and the denoiser is called without them: hand on `canvas.places()`, whole",
    )


class Counted:
    """A denoiser, and the places that it was told at each call."""

    def __init__(self, denoise: Callable[..., Any]) -> None:
        self.denoise = denoise
        self.places: list[Places] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the denoiser answers."""
        given = [each for each in (*args, *kwargs.values()) if isinstance(each, Places)]
        self.places.append(given[0] if given else EVERYWHERE)
        return self.denoise(*args, **kwargs)


def told(process: Process, share: float) -> Callable[..., Any] | None:
    """A denoiser that is right where the first token of a note is its first one so often; None: another family."""
    length = every_text(process.tokenizer).shape[1]
    allowed = allowed_at(process.tokenizer, length).double()
    allowed[1, len(SPECIALS)], allowed[1, len(SPECIALS) + 1] = share, 1 - share
    log_p = (allowed / allowed.sum(-1, keepdim=True)).log().float()
    if isinstance(process, TokenDiffusion):
        corruption = process.corruption
        return lambda z, m, places=EVERYWHERE: log_p + corruption.log_probabilities(z, m.expand(len(z)).float())
    if isinstance(process, AutoregressiveProcess):
        return lambda ids, places=EVERYWHERE: log_p[: ids.shape[1]].expand(len(ids), -1, -1)
    if isinstance(process, GaussianDiffusion):
        return _normal(process, log_p)
    return None


def _normal(process: GaussianDiffusion, log_p: Tensor) -> Callable[..., Any]:
    """The mean of embeddings given x_t, of a process whose embeddings are made corners, and its rounding their shares.

    So a mean of embeddings is rounded to the odds that it stands for, however the process rounds otherwise.
    """
    size, width = len(process.tokenizer.vocab), process.embeddings().shape[1]
    corners = torch.eye(size, width) * 3 if width >= size else None
    if corners is None:
        return process.oracle(torch.zeros(1, 1, dtype=torch.int64))
    process.embeddings = lambda: corners  # type: ignore[method-assign]
    process.round = lambda x: (x @ corners.T / 9).clamp(min=1e-6).log()  # type: ignore[method-assign]

    def denoise(x: Tensor, t: Tensor, places: Places = EVERYWHERE, previous: Tensor | None = None) -> Tensor:
        return (log_p + process.evidence(x, t)).softmax(-1) @ corners

    return denoise


def blank(texts: Tensor) -> Canvas:
    """A canvas in the shape of texts [B, L] of which nothing but their ends stands."""
    fixed = texts < len(SPECIALS)
    return Canvas.of(texts.masked_fill(~fixed, 3), fixed)


def _holes(process: Process, texts: Tensor, kept: Tensor) -> Canvas:
    fixed = kept | (texts < len(SPECIALS))
    return Canvas.of(texts.masked_fill(~fixed, process.tokenizer.mask_id), fixed)


def _canvases(process: Process, texts: Tensor) -> dict[str, Canvas]:
    place = torch.arange(texts.shape[1])
    middle = _holes(process, texts, ((place < 2) | (place > 3)).expand_as(texts))
    ends = _holes(process, texts, ((place > 1) & (place < 4)).expand_as(texts))
    some = torch.rand(texts.numel(), len(process.tokenizer.vocab), generator=generator(5)) < 0.4
    some.scatter_(-1, texts.reshape(-1, 1), True)  # so that there is a way
    index = torch.arange(texts.numel()).view(texts.shape)
    every = blank(texts)
    sets = Canvas(every.ids, every.allowed.where(every.fixed, index), None, some)
    both = Canvas(middle.ids, middle.allowed.where(middle.fixed | (place == 2), index), None, some)
    assert bool((both.allowed == ANY).any())
    return {"a hole in the middle": middle, "holes at both ends": ends, "sets of tokens": sets, "holes and sets": both}


def drawn_by(sampler: Sampler, process: Process, canvas: Canvas, steps: int, **more: Any) -> Tensor:
    """The tokens [B, L] that a sampler fills a canvas with."""
    draws = RowDraws.seeded(3, len(canvas.ids))
    return sampler.sample(process, canvas, steps=steps, draws=draws, **more).ids


def _process(component: Component) -> Process:
    offer = of_family(component.offer.sampler().family)
    return toy_process_of(offer, offer.options(offer.load().tiny)).requires_grad_(False)
