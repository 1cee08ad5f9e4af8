"""What a process promises."""

from __future__ import annotations

from dataclasses import replace

import safetensors.torch
import torch
from torch import Tensor

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.process import Process
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect
from diffmidi_core.testing.surroundings import close, generator, same_weights, toy_batch
from diffmidi_core.testing.variants import whatever_the_options

LEVELS = 4


def use(process: Process) -> None:
    """What a run does with it."""
    batch = toy_batch(process.tokenizer)
    torch.autograd.backward(process.eval().loss(batch, generator())["loss"])
    process.bound(batch, generator(), levels=LEVELS)


@whatever_the_options
def check_loss_is_a_scalar_to_learn_from(component: Component) -> None:
    """A finite scalar with a gradient; its parts are finite scalars without one."""
    process, batch = _build(component)
    losses = process.loss(batch, generator())
    expect("loss" in losses, f"loss() gives 'loss', not only {', '.join(losses)}")
    for name, value in losses.items():
        expect(value.ndim == 0 and torch.isfinite(value), f"{name} is a finite scalar, not {value}")
        expect(value.requires_grad == (name == "loss"), f"{name}: 'loss' alone has a gradient")
    called = process(batch, generator())["loss"]
    expect(torch.equal(called, losses["loss"]), "the process, called as a module, is loss(): training wraps that")


@whatever_the_options
def check_every_parameter_gets_a_gradient(component: Component) -> None:
    """A parameter without a gradient stalls distributed training."""
    process, batch = _build(component)
    with same_weights():
        torch.autograd.backward(process.train().loss(batch, generator())["loss"])
    without = [name for name, parameter in process.named_parameters() if parameter.grad is None]
    expect(not without, f"no gradient: {', '.join(without)}")
    expect(not _not_finite(process), f"the gradient is not finite: {', '.join(_not_finite(process))}")


@whatever_the_options
def check_labels_change_nothing_where_none_is_said(component: Component) -> None:
    """One that can be told labels (`conditions`) answers as before where none is given; others refuse to learn any."""
    process, batch = _build(component)
    if not process.conditions:
        refused = False
        try:
            process.learn_labels({"key": 2})
        except DiffmidiError:
            refused = True
        expect(refused, "a process that cannot be told labels raises DiffmidiError where it is to learn some")
        return
    found = process.loss(batch, generator())["loss"]
    process.learn_labels({"key": 2, "a.b": 1})
    without = process.loss(batch, generator())["loss"]
    none_given = {name: torch.zeros(len(batch.ids), dtype=torch.int64) for name in ("key", "a.b")}
    torch.autograd.backward(process.loss(replace(batch, condition=none_given), generator())["loss"])
    labelled = process.loss(replace(batch, condition={name: none_given[name] + 1 for name in none_given}), generator())[
        "loss"
    ]
    expect(bool(torch.isfinite(labelled)), f"the loss of labelled rows is finite, not {labelled}")
    expect(torch.equal(found, without), "room for labels changes nothing where a batch has none")
    rest = process.loss(replace(batch, condition=none_given), generator())["loss"]
    expect(close(found, rest), f"labels that are not given change the loss: {found:.5f} to {rest:.5f}")


@whatever_the_options
def check_loss_ignores_padding(component: Component) -> None:
    """Which tokens stand at padding changes no part of the loss, and no gradient."""
    process, batch = _build(component)
    found, gradient = _loss_and_gradient(process, batch)
    other, other_gradient = _loss_and_gradient(process, _scribbled(process, batch))
    for name, value in found.items():
        expect(close(value, other[name]), f"other tokens at padding change {name}: {value:.5f} to {other[name]:.5f}")
    expect(close(gradient, other_gradient), "other tokens at padding change the gradient")


@whatever_the_options
def check_a_step_may_be_cut(component: Component) -> None:
    """Over a step cut in two unequal parts, loss and gradient are on average those of the whole step.

    Draw through `batch.rows_of` and average through `batch.mean`.
    """
    process, batch = _build(component)
    found, gradient = _loss_and_gradient(process, batch)
    (one, its), (two, others) = (_loss_and_gradient(process, part) for part in batch.cut([1, len(batch.ids) - 1]))
    for name, value in found.items():
        mean = (one[name] + two[name]) / 2
        expect(close(value, mean), f"{name} is {value:.5f} over a whole step, and {mean:.5f} over the step cut in two")
    expect(close(gradient, (its + others) / 2), "the gradient of a step cut in two is not that of the whole step")


@whatever_the_options
def check_bound_ignores_padding(component: Component) -> None:
    """Which tokens stand at padding changes no term of the bound."""
    process, batch = _build(component)
    with torch.no_grad():
        found = process.bound(batch, generator(), levels=LEVELS).terms
        other = process.bound(_scribbled(process, batch), generator(), levels=LEVELS).terms
    for name, bits in found.items():
        expect(close(bits, other[name]), f"other tokens at padding change the term '{name}' of the bound")


def check_no_mask_is_a_full_mask(component: Component) -> None:
    """mask None means that every position is real."""
    process, batch = _build(component)
    full = Batch(batch.ids[-1:], batch.mask()[-1:], batch.tokens[-1:])  # the longest window fills its row
    with torch.no_grad():
        found, other = (process.loss(each, generator())["loss"] for each in (full, replace(full, attention_mask=None)))
    expect(close(found, other), f"the loss is {found:.5f} with a full mask and {other:.5f} without one")


@whatever_the_options
def check_bound_is_finite_bits(component: Component) -> None:
    """Terms [B, L], finite, 0 at padding and not negative in sum, estimated or exact; tokens as the batch has them."""
    process, batch = _build(component)
    for levels in (1, LEVELS, None):
        with torch.no_grad():
            bound = process.bound(batch, generator(), levels=levels)
        for name, bits in bound.terms.items():
            expect(bits.shape == batch.ids.shape, f"term '{name}' is [B, L], not {tuple(bits.shape)} (levels={levels})")
            expect(not bits[~batch.mask()].any(), f"term '{name}' charges nothing for padding (levels={levels})")
            expect(torch.isfinite(bits).all(), f"term '{name}' is finite (levels={levels})")
        expect(
            (bound.bits >= 0).all(), f"a bound on -log2 p is never negative: {bound.bits.min():.4f} bits ({levels=})"
        )
        expect(torch.equal(bound.tokens, batch.tokens), "bound.tokens counts the tokens of music in each window")


def check_same_generator_same_answer(component: Component) -> None:
    """Every draw comes from the generator; another seed gives another loss, unless the process is exact."""
    process, batch = _build(component)
    with torch.no_grad():
        first, again, other = (process.loss(batch, generator(seed))["loss"] for seed in (0, 0, 1))
        bits, bits_again = (process.bound(batch, generator(), levels=LEVELS).bits for _ in range(2))
    expect(torch.equal(first, again), "loss() differs between two generators of one seed")
    expect(torch.equal(bits, bits_again), "bound() differs between two generators of one seed")
    if process.exact:
        expect(torch.equal(first, other), "the process says that it is exact, and its loss hangs on the generator")
    else:
        expect(not torch.equal(first, other), "loss() does not draw from its generator")


def check_exact_is_exact(component: Component) -> None:
    """Where a process says that it is exact, neither generator nor levels change its bits."""
    process, batch = _build(component)
    if not process.exact:
        return
    with torch.no_grad():
        bits = process.bound(batch, generator(0), levels=1).bits
        others = process.bound(batch, generator(1), levels=None).bits
    expect(close(bits, others), "the process says that it is exact, and its bits hang on the generator or on levels")


def check_trains_after_sampling(component: Component) -> None:
    """What was looked at without gradients first can be trained afterwards."""
    process, batch = _build(component)
    with torch.inference_mode():
        process.bound(batch, generator(), levels=LEVELS)
    torch.autograd.backward(process.loss(batch, generator())["loss"])


def check_finite_in_bf16(component: Component) -> None:
    """Mixed precision gives a finite loss and finite gradients."""
    process, batch = _build(component)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = process.loss(batch, generator())["loss"]
    torch.autograd.backward(loss)
    expect(torch.isfinite(loss), f"the loss under bf16 autocast is {loss}")
    broken = _not_finite(process)
    expect(not broken, f"under bf16 autocast the gradient is not finite: {', '.join(broken)}")


def check_weights_survive_a_file(component: Component) -> None:
    """state_dict goes through safetensors (so no two names share a tensor) and gives the same loss back."""
    process, batch = _build(component)
    saved = safetensors.torch.save(process.state_dict())
    again, _ = _build(component)
    for parameter in again.parameters():
        parameter.data.add_(1)
    again.load_state_dict(safetensors.torch.load(saved))
    with torch.no_grad():
        first, second = (each.loss(batch, generator())["loss"] for each in (process, again))
    expect(torch.equal(first, second), "saved and loaded weights give another loss")


def check_backbone_is_a_submodule(component: Component) -> None:
    """The backbone's parameters are among the process's own, so that they are trained and saved."""
    process, _ = _build(component)
    own = {id(parameter) for parameter in process.parameters()}
    expect(all(id(each) in own for each in process.backbone.parameters()), "the backbone's parameters are missing")


def _build(component: Component) -> tuple[Process, Batch]:
    process: Process = component.build()
    return process.eval(), toy_batch(process.tokenizer)


def _not_finite(process: Process) -> list[str]:
    return [n for n, each in process.named_parameters() if each.grad is not None and not each.grad.isfinite().all()]


def _scribbled(process: Process, batch: Batch) -> Batch:
    """Other tokens where padding stood."""
    tokens = torch.randint(4, len(process.tokenizer.vocab), batch.ids.shape, generator=generator(1))
    return replace(batch, ids=torch.where(batch.mask(), batch.ids, tokens))


def _loss_and_gradient(process: Process, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
    process.zero_grad(set_to_none=True)
    losses = process.loss(batch, generator())
    torch.autograd.backward(losses["loss"])
    gradient = torch.cat([each.grad.flatten() for each in process.parameters() if each.grad is not None])
    return {name: value.detach() for name, value in losses.items()}, gradient
