"""What a sampler promises. Each is tried on the smallest installed process of its family."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Sampler
from diffmidi_core.contracts.tokenizer import SPECIALS
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect, refuses
from diffmidi_core.testing.surroundings import generator, toy_batch, toy_canvas, toy_process
from diffmidi_core.testing.variants import whatever_the_options

STEPS = 20
"""As many as the longest toy window has tokens, for samplers that take one for each; gaussian's tiniest has no more."""


def use(sampler: Sampler) -> None:
    """Nothing without a process: check_everything_random_is_drawn looks at what it does with one."""


@whatever_the_options
def check_oracle_gives_the_words_back(component: Component) -> None:
    """With a denoiser that knows the tokens, they come back, in few steps (where that can be) and many."""
    process, batch = _process(component)
    sampler = component.build()
    for steps in (STEPS,) if component.offer.sampler().step_per_token else (1, 2, STEPS):
        found = _sample(sampler, process, toy_canvas(batch), steps=steps, denoise=process.oracle(batch.ids))
        wrong = int((found != batch.ids)[batch.mask()].sum())
        expect(wrong == 0, f"a perfect denoiser, {steps} steps: {wrong} of {batch.mask().sum()} tokens are wrong")


@whatever_the_options
def check_fixed_words_stay(component: Component) -> None:
    """What the canvas fixes comes back unchanged, padding too, whatever the denoiser says; the canvas is left alone."""
    process, batch = _process(component)
    canvas = toy_canvas(batch, kept=0.5)
    ids, fixed = canvas.ids.clone(), canvas.fixed.clone()
    found = _sample(component.build(), process, canvas)
    expect(
        found.shape == ids.shape and found.dtype == torch.int64,
        f"ids are [B, L] int64, not {found.shape} {found.dtype}",
    )
    expect(torch.equal(found[fixed], ids[fixed]), "fixed tokens change")
    expect(torch.equal(canvas.ids, ids) and torch.equal(canvas.fixed, fixed), "sampling changes the canvas it is given")


@whatever_the_options
def check_only_what_is_allowed_is_drawn(component: Component) -> None:
    """Where a canvas names sets of tokens, what is drawn is in them, and what is fixed stays."""
    process, batch = _process(component)
    canvas = toy_canvas(batch, kept=0.2)
    sets = torch.rand(batch.ids.numel(), len(process.tokenizer.vocab), generator=generator(2)) < 0.3
    sets.scatter_(-1, batch.ids.reshape(-1, 1), True)  # so that there is a way
    place = torch.arange(batch.ids.numel()).view(batch.ids.shape)
    canvas = Canvas(canvas.ids, canvas.allowed.where(canvas.fixed, place), canvas.attention_mask, sets)
    found, admitted = _sample(component.build(), process, canvas), canvas.admitted()
    assert admitted is not None
    inside = admitted.gather(-1, found[..., None]).squeeze(-1)
    expect(inside.all(), f"{int((~inside).sum())} tokens are drawn that the canvas does not allow")
    expect(torch.equal(found[canvas.fixed], canvas.ids[canvas.fixed]), "fixed tokens change where sets are named")


@whatever_the_options
def check_specials_only_where_fixed(component: Component) -> None:
    """[PAD] [CLS] [SEP] [MASK] stand nowhere but where the canvas fixed them."""
    process, batch = _process(component)
    canvas = toy_canvas(batch)
    free = _sample(component.build(), process, canvas)[~canvas.fixed]
    expect((free >= len(SPECIALS)).all(), "special tokens stand where the canvas fixed none")
    expect((free < len(process.tokenizer.vocab)).all(), "ids stand within the vocabulary")


def check_everything_random_is_drawn(component: Component) -> None:
    """The same draws give the same tokens, others give others, and torch's own generator is not touched."""
    process, batch = _process(component)
    sampler, canvas, before = component.build(), toy_canvas(batch), torch.get_rng_state()
    first, again, other = (_sample(sampler, process, canvas, seed=seed) for seed in (0, 0, 1))
    expect(torch.equal(first, again), "the same draws give different tokens")
    expect(not torch.equal(first, other), "another seed gives the same tokens: nothing is drawn")
    expect(torch.equal(before, torch.get_rng_state()), "sampling draws from torch's global generator")
    expect(torch.is_grad_enabled(), "sampling leaves gradients off")


@whatever_the_options
def check_a_row_is_the_same_whatever_is_beside_it(component: Component) -> None:
    """A row of the canvas, drawn alone, becomes what it became among others."""
    process, batch = _process(component)
    sampler, canvas = component.build(), toy_canvas(batch)
    seeds = range(len(canvas.ids))
    together = sampler.sample(process, canvas, steps=STEPS, draws=_streams(*seeds)).ids
    for row in seeds:
        alone = canvas.rows(torch.tensor([row]))
        found = sampler.sample(process, alone, steps=STEPS, draws=_streams(row)).ids
        expect(torch.equal(found[0], together[row]), f"row {row + 1} of {len(seeds)} becomes another when drawn alone")


def check_no_state_is_kept(component: Component) -> None:
    """What was sampled before changes nothing: two runs through one sampler can take turns."""
    process, batch = _process(component)
    used = component.build()
    before = dict(vars(used))
    _sample(used, process, toy_canvas(batch), seed=7)
    expect(vars(used) == before, "sampling changes the sampler's attributes")
    canvas = toy_canvas(batch)
    fresh = component.build()
    expect(
        torch.equal(_sample(used, process, canvas), _sample(fresh, process, canvas)), "a used sampler samples otherwise"
    )


@whatever_the_options
def check_steps_are_evaluations(component: Component) -> None:
    """At most `steps` evaluations of the denoiser; each step, with one or none, is told to on_step as it is done."""
    process, batch = _process(component)
    counted, told = _Counted(process.oracle(batch.ids)), []
    _sample(component.build(), process, toy_canvas(batch), denoise=counted, on_step=lambda *said: told.append(said))
    expect(0 < counted.calls <= STEPS, f"{STEPS} steps took {counted.calls} evaluations")
    expect(
        told == [(done, STEPS) for done in range(1, STEPS + 1)], f"on_step(done, steps) after each step; told {told}"
    )


def check_impossible_steps_are_refused(component: Component) -> None:
    """No steps at all is an error in one sentence, and so are too few, where the declaration says that can be."""
    process, batch = _process(component)
    for steps in (0, int(batch.tokens.max()) - 1) if component.offer.sampler().step_per_token else (0,):
        with refuses(f"sampling in {steps} steps"):
            _sample(component.build(), process, toy_canvas(batch), steps=steps)


@dataclass
class _Counted:
    denoise: Any
    calls: int = field(default=0)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.denoise(*args, **kwargs)


def _process(component: Component) -> tuple[Process, Batch]:
    process = toy_process(component.offer.sampler().family)
    return process, toy_batch(process.tokenizer)


def _sample(
    sampler: Sampler, process: Process, canvas: Canvas, *, seed: int = 0, steps: int = STEPS, **more: Any
) -> Tensor:
    return sampler.sample(process, canvas, steps=steps, draws=RowDraws.seeded(seed, len(canvas.ids)), **more).ids


def _streams(*seeds: int) -> RowDraws:
    return RowDraws([generator(seed) for seed in seeds])
