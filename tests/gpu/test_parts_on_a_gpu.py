"""Every process and sampler on the device against the CPU, by the same draws.

Numbers are drawn on the CPU and moved. Sums come in another order there, and convolutions in TF32 (10 bits): so figures
agree within 0.5 %, and a draw whose number falls between the two may take another token, as may those after it.
"""

from __future__ import annotations

import copy

import pytest
import torch

from diffmidi.api.process import Support
from diffmidi.api.sampler import Canvas, RowDraws
from diffmidi_core.machine.deterministic import deterministic
from diffmidi_core.registry import find, offers
from diffmidi_core.testing.surroundings import (
    LENGTH,
    context_of,
    generator,
    smallest,
    toy_batch,
    toy_canvas,
    toy_process,
)

pytestmark = pytest.mark.gpu
TOLERANCE = 5e-3
MIXED = 5e-2
"""Of a loss in bf16 (8 bits) or fp16 (11 bits) against fp32."""
SAME = 0.9
"""Share of the tokens that are the same."""
PROCESSES = [offer.spelling for offer in offers("process")]
SAMPLERS = [offer.spelling for offer in offers("sampler")]


def both(name, device):
    """The process on the CPU and on the device, with the same weights."""
    process = smallest("process", name, **context_of("process")).eval()
    return process, copy.deepcopy(process).to(device)


def loss_and_gradients(process, batch):
    process.zero_grad()
    loss = process.loss(batch, generator())["loss"]
    loss.backward()
    return float(loss.detach()), {
        name: value.grad.cpu() for name, value in process.named_parameters() if value.grad is not None
    }


@pytest.mark.parametrize("name", PROCESSES)
def test_losses_gradients_and_bounds_are_those_of_a_cpu(name, device):
    here, there = both(name, device)
    batch = toy_batch(here.tokenizer)
    (loss, gradients), (other, others) = loss_and_gradients(here, batch), loss_and_gradients(there, batch.to(device))
    assert other == pytest.approx(loss, rel=TOLERANCE)
    assert gradients.keys() == others.keys()
    for part, value in gradients.items():
        assert float((others[part] - value).norm()) <= 4 * TOLERANCE * float(value.norm()) + 1e-5, part
    with torch.no_grad():
        bound, found = (
            model.bound(each, generator(), levels=4) for model, each in ((here, batch), (there, batch.to(device)))
        )
    for term, bits in bound.terms.items():
        assert float(found.terms[term].sum()) == pytest.approx(float(bits.sum()), rel=TOLERANCE), term


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@pytest.mark.parametrize("name", PROCESSES)
def test_mixed_precision_computes_nearly_the_same_loss(name, dtype, device):
    _, process = both(name, device)
    batch = toy_batch(process.tokenizer).to(device)
    with torch.no_grad():
        exact = float(process.loss(batch, generator())["loss"])
        with torch.autocast(device.type, dtype=dtype):
            mixed = float(process.loss(batch, generator())["loss"])
    assert mixed == pytest.approx(exact, rel=MIXED)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_step_has_deterministic_kernels_and_gives_the_same_bits_twice(name, device):
    _, process = both(name, device)
    batch = toy_batch(process.tokenizer).to(device)
    with deterministic(True):
        loss, gradients = loss_and_gradients(process, batch)
        again, others = loss_and_gradients(process, batch)
    assert loss == again
    assert all(torch.equal(value, others[part]) for part, value in gradients.items())


def drawn(sampler, process, canvas, draws):
    with torch.inference_mode():
        return sampler.sample(process, canvas, steps=steps_of(process), draws=draws).ids.cpu()


def steps_of(process):
    """As many as there are tokens, which one that draws one by one needs; or noise levels, where they are fewer."""
    return min(LENGTH, len(process.levels)) if hasattr(process, "levels") else LENGTH


def of_sampler(name):
    """The sampler and a process of its family, both at their smallest."""
    offer = find("sampler", name)
    return smallest("sampler", name), toy_process(offer.sampler().family)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_draws_what_it_draws_on_a_cpu(name, device):
    sampler, process = of_sampler(name)
    canvas = toy_canvas(toy_batch(process.tokenizer), 0.2)
    rows, elsewhere = len(canvas.ids), canvas.to(device)
    here = drawn(sampler, process, canvas, RowDraws.seeded(0, rows))
    there = drawn(sampler, process.to(device), elsewhere, RowDraws.seeded(0, rows))
    assert float((here == there)[~canvas.fixed].float().mean()) >= SAME
    assert torch.equal(there[canvas.fixed], canvas.ids[canvas.fixed])
    assert sum(process.tokenizer.faults(row.numpy()) for row in there) == sum(
        process.tokenizer.faults(row.numpy()) for row in here
    )


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_piece_from_streams_of_the_device_is_the_same_whatever_is_beside_it(name, device):
    sampler, process = of_sampler(name)
    process.to(device)

    def streams(*seeds):
        return RowDraws([torch.Generator(device).manual_seed(seed) for seed in seeds])

    together = drawn(sampler, process, Canvas.blank(3, LENGTH - 2, device=device), streams(0, 1, 2))
    alone = drawn(sampler, process, Canvas.blank(1, LENGTH - 2, device=device), streams(1))
    assert float((together[1] == alone[0]).float().mean()) >= SAME


@pytest.mark.parametrize("layout", ["aligned", "run"])
def test_legal_texts_are_drawn_alike(layout, device):
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    support = Support(tokenizer.grammar, 130)
    canvas = Canvas.blank(8, 128)
    logits = 3 * torch.randn(8, 130, len(tokenizer.vocab), generator=generator())
    here = support.draw(logits, canvas.ids, canvas.fixed, RowDraws.seeded(0, 8))
    support.to(device)
    there = support.draw(logits.to(device), canvas.ids.to(device), canvas.fixed.to(device), RowDraws.seeded(0, 8)).cpu()
    assert float((here == there).float().mean()) >= 0.99
    assert [tokenizer.faults(row.numpy()) for row in there] == [0] * 8


@pytest.mark.gpu(alone=True)
@pytest.mark.parametrize("name", [name for name in SAMPLERS if find("sampler", name).sampler().family == "gaussian"])
def test_no_step_of_a_gaussian_sampler_waits(name, device):
    sampler, process = of_sampler(name)
    process.to(device)

    told = []

    def forbid(done: int, of: int) -> None:
        told.append((done, of))
        torch.cuda.set_sync_debug_mode("error" if done < of else "default")

    streams = RowDraws.seeded(0, 2, device)
    try:
        sampler.sample(
            process, Canvas.blank(2, LENGTH - 2, device=device), steps=steps_of(process), draws=streams, on_step=forbid
        )
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(told) > 1
    assert told[-1][0] == told[-1][1]


@pytest.mark.gpu(alone=True)
@pytest.mark.parametrize("layout", ["aligned", "run"])
def test_drawing_a_legal_text_does_not_wait(layout, device):
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    support, canvas = Support(tokenizer.grammar, 130).to(device), Canvas.blank(8, 128, device=device)
    logits, draws = torch.randn(8, 130, len(tokenizer.vocab), device=device), RowDraws.seeded(0, 8, device)
    try:
        torch.cuda.set_sync_debug_mode("error")
        support.draw(logits, canvas.ids, canvas.fixed, draws, top_p=0.9)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu(alone=True)
@pytest.mark.parametrize("name", PROCESSES)
def test_compiled_it_computes_the_same_loss(name, device):
    _, process = both(name, device)
    batch = toy_batch(process.tokenizer).to(device)
    plain, gradients = loss_and_gradients(process, batch)
    process.backbone.compile()
    compiled, others = loss_and_gradients(process, batch)
    assert compiled == pytest.approx(plain, rel=TOLERANCE)
    for part, value in gradients.items():
        assert float((others[part] - value).norm()) <= 4 * TOLERANCE * float(value.norm()) + 1e-5, part
