"""Labels in a network, and guidance by them: what is not conditional changes nothing, and the formula is exact."""

from dataclasses import replace

import pytest
import torch

from diffmidi.api.process import EVERYWHERE
from diffmidi_core.diffusion.labels import Guided, LabelEmbedding, guided
from diffmidi_core.testing.surroundings import context_of, generator, smallest, toy_batch, toy_canvas
from tests.plan import Plan

PROCESSES = ("masked", "autoregressive", "gaussian")
VALUES = {"key": 3, "a.b": 2}


@pytest.fixture(params=PROCESSES)
def process(request):
    """A process that tells key and a.b apart."""
    made = smallest("process", request.param, **context_of("process"))
    made.learn_labels(VALUES)
    with torch.no_grad():
        made.labels.table.copy_(torch.randn(made.labels.table.shape, generator=generator()))
    return made.eval()


def told(batch, key, other=None):
    """The batch with labels, by row."""
    rows = len(batch.ids)
    condition = {"key": torch.tensor(key), "a.b": torch.zeros(rows, dtype=torch.int64)}
    return replace(batch, condition=condition if other is None else {**condition, "a.b": torch.tensor(other)})


def answers(process, batch):
    """What the process's own denoiser makes of a batch."""
    torch.manual_seed(0)
    if hasattr(process, "predict_next"):
        return process.predict(batch.ids, batch.places())
    if hasattr(process, "embed"):
        return process.denoise(process.embed(batch.ids), torch.full((len(batch.ids),), 0.5), batch.places())
    z = batch.ids.masked_fill(batch.loss_mask(), process.tokenizer.mask_id)
    return process.denoise(z, torch.ones(len(z)), batch.places())


def test_vectors_add_up_and_what_is_not_said_adds_nothing():
    labels = LabelEmbedding(VALUES, 2)
    with torch.no_grad():
        labels.table.copy_(torch.tensor([[1.0, 0], [2, 0], [3, 0], [0, 10], [0, 20]]))
    found = labels({"key": torch.tensor([0, 1, 3]), "a.b": torch.tensor([0, 2, 1]), "other": torch.tensor([1, 1, 1])})
    assert found.tolist() == [[0, 0], [1, 20], [3, 10]]


def test_an_untrained_label_changes_nothing(process):
    batch = toy_batch(process.tokenizer)
    with torch.no_grad():
        process.labels.table.zero_()
        assert torch.equal(answers(process, batch), answers(process, told(batch, [1] * 6)))


def test_a_label_changes_its_own_row_alone(process):
    batch = toy_batch(process.tokenizer)
    with torch.no_grad():
        without, one = answers(process, batch), answers(process, told(batch, [0, 0, 0, 0, 0, 2]))
        other = answers(process, told(batch, [0, 0, 0, 0, 0, 1]))
    assert torch.allclose(without[:5], one[:5], atol=1e-5)
    assert not torch.allclose(without[5], one[5], atol=1e-2)
    assert not torch.allclose(other[5], one[5], atol=1e-2)


def test_a_labelled_step_may_be_cut(process):
    batch = told(toy_batch(process.tokenizer), [1, 0, 2, 3, 1, 2], [0, 1, 2, 0, 1, 2])
    whole = process.loss(batch, generator())["loss"]
    parts = [process.loss(part, generator())["loss"] for part in batch.cut([1, 3, 2])]
    assert torch.allclose(torch.stack(parts).mean(), whole, rtol=1e-4)
    other = process.loss(told(batch, [0] * 6), generator())["loss"]
    assert not torch.allclose(other, whole, rtol=1e-4)


def test_rows_of_a_plan_keep_their_labels():
    """Rows of a plan are read in another order, and laid out twice."""
    tokenizer = Plan()
    context = context_of("process") | {"tokenizer": tokenizer, "backbone": smallest("backbone", "bert", length=512)}
    process = smallest("process", "masked", **context).eval()
    process.learn_labels(VALUES)
    with torch.no_grad():
        process.labels.table.copy_(torch.randn(process.labels.table.shape, generator=generator()))
    texts = ("bar2 q1 left c0", "bar2 q1 left c1 t0 p1 v d1", "bar3 q2 left c2 t0 p0 v d2 t1 p1 v d1 bar2 q1 left c0")
    rows = [tokenizer.to_ids(text.split()) for text in texts]
    ids = torch.zeros(3, 26, dtype=torch.int64)
    for row, text in zip(ids, rows, strict=True):
        row[: len(text) + 2] = torch.tensor([tokenizer.cls_id, *text.tolist(), tokenizer.sep_id])
    tokens = torch.tensor([len(text) for text in rows])
    batch = replace(toy_batch(context_of("process")["tokenizer"]), ids=ids, tokens=tokens)
    batch = replace(batch, attention_mask=torch.arange(26) < tokens[:, None] + 2)
    with torch.no_grad():
        plain = process.bound(batch, generator()).bits
        longest = process.bound(told(batch, [0, 0, 2]), generator()).bits
    assert torch.allclose(plain[:2], longest[:2], atol=1e-4)
    assert not torch.allclose(plain[2], longest[2], atol=1e-2)


def test_guidance_is_its_formula():
    conditional, unconditional = torch.tensor([1.0, 2, -torch.inf, 3]), torch.tensor([0.5, 4, -1, -torch.inf])
    assert guided(conditional, unconditional, 2.0).tolist() == [2.0, -2.0, -torch.inf, 3]
    assert guided(conditional, unconditional, 0.0).tolist() == conditional.tolist()


@pytest.mark.parametrize("weight", [0.5, 3.0])
def test_a_guided_denoiser_asks_with_and_without(process, weight):
    batch = told(toy_batch(process.tokenizer), [1, 2, 3, 1, 2, 3])
    canvas = replace(toy_canvas(batch), condition=batch.condition)
    asked = Guided(process, weight)
    with torch.no_grad():
        conditional, unconditional = answers(process, batch), answers(process, replace(batch, condition={}))
        if hasattr(process, "predict_next"):
            for length in (2, 3, 6):  # what it keeps of the tokens before is that of its own half
                found = asked(batch.ids[:, :length], canvas.places().until(length))[:, -1]
                expected = guided(conditional, unconditional, weight)[:, length - 1]
                assert torch.allclose(found, expected, atol=1e-3)
            return
        if hasattr(process, "embed"):
            found = asked(process.embed(batch.ids), torch.full((6,), 0.5), batch.places())
        else:
            z = batch.ids.masked_fill(batch.loss_mask(), process.tokenizer.mask_id)
            found = asked(z, torch.ones(6), batch.places())
    assert torch.allclose(found, (1 + weight) * conditional - weight * unconditional, atol=1e-3)


def test_without_labels_a_guided_denoiser_is_the_processes_own(process):
    if hasattr(process, "predict_next"):
        pytest.skip("it answers about one token")
    batch = toy_batch(process.tokenizer)
    seen = process.embed(batch.ids) if hasattr(process, "embed") else batch.ids
    with torch.no_grad():
        found = Guided(process, 4.0)(seen, torch.full((6,), 0.5), EVERYWHERE)
        assert torch.equal(found, process.denoise(seen, torch.full((6,), 0.5), EVERYWHERE))
