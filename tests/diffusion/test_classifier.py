"""Classifiers of noised music: probabilities, what costs nothing, and what of a plan is there."""

from dataclasses import replace

import pytest
import torch

from diffmidi_core.diffusion.classifier import classifier_for
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.testing.surroundings import LENGTH, generator, same_weights, smallest, toy_batch, toy_process
from tests.plan import Plan


def of(model, values=3, length=LENGTH - 2):
    """The smallest classifier of a process's noised music, with `values`."""
    with same_weights():
        return classifier_for(
            model, lambda positions: smallest("backbone", "bert", length=positions), length, "mood", values
        ).eval()


@pytest.fixture(params=["masked", "gaussian"])
def classifier(request):
    return of(toy_process(request.param))


def told(classifier, numbers):
    """Windows with these numbers of the label."""
    batch = toy_batch(classifier.tokenizer)
    return replace(batch, condition={"mood": torch.tensor(numbers)})


def test_it_answers_with_probabilities(classifier):
    log_p = classifier.noised(told(classifier, [1] * 6), generator())()
    assert log_p.shape == (6, 3)
    assert torch.allclose(log_p.exp().sum(-1), torch.ones(6), atol=1e-5)


def test_a_row_without_the_label_costs_nothing(classifier):
    bound = classifier.bound(told(classifier, [1, 0, 2, 0, 3, 1]), generator(), levels=2)
    assert bound.tokens.tolist() == [1, 0, 1, 0, 1, 1]
    assert (bound.bits > 0).tolist() == [True, False, True, False, True, True]
    assert classifier.loss(told(classifier, [0] * 6), generator())["loss"] == 0


def test_padding_changes_nothing(classifier):
    batch = told(classifier, [1, 2, 3, 1, 2, 3])
    mask, ids = batch.mask(), batch.ids.clone()
    ids[~mask] = classifier.tokenizer.mask_id + 2
    wider = replace(batch, ids=ids)
    if hasattr(classifier, "levels"):
        half = torch.full((6,), 0.5)
        said = [classifier.log_p(classifier.table[each.ids], half, each.places()) for each in (batch, wider)]
    else:
        shorter = replace(batch, ids=batch.ids[:, :-1], attention_mask=mask[:, :-1])
        rows = mask[:, -1].logical_not()
        said = [classifier.log_p(each.ids, each.places())[rows] for each in (batch, shorter)]
    assert torch.allclose(*said, atol=1e-5)


def test_a_step_may_be_cut(classifier):
    batch = told(classifier, [1, 0, 2, 3, 1, 2])
    whole = classifier.loss(batch, generator())["loss"]
    parts = [classifier.loss(part, generator())["loss"] for part in batch.cut([1, 3, 2])]
    assert torch.allclose(torch.stack(parts).mean(), whole, rtol=1e-4)


def test_every_parameter_gets_a_gradient(classifier):
    classifier.loss(told(classifier, [1, 2, 3, 1, 2, 3]), generator())["loss"].backward()
    assert [name for name, each in classifier.named_parameters() if each.grad is None] == []


def test_it_learns_what_can_be_told(classifier):
    """A label that is how long the window is."""
    batch = told(classifier, [1, 1, 1, 2, 2, 2])
    optimiser = torch.optim.Adam(classifier.parameters(), 5e-3)
    losses = []
    for seed in range(60):
        loss = classifier.loss(batch, generator(seed))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    assert torch.stack(losses[-10:]).mean() < 0.7 * torch.stack(losses[:3]).mean()


def test_embeddings_are_the_models_and_stay():
    model = toy_process("gaussian")
    classifier = of(model)
    with torch.no_grad():
        model.tokens.embedding.mul_(2)
    assert not torch.equal(classifier.table, model.embeddings())
    classifier.take(model)
    assert torch.equal(classifier.table, model.embeddings())
    assert "table" in classifier.state_dict()
    assert "table" not in dict(classifier.named_parameters())


def test_no_classifier_fits_a_process_from_left_to_right():
    with pytest.raises(DiffmidiError, match="cannot be led by a classifier"):
        of(toy_process("autoregressive"))


@pytest.fixture
def planned():
    """A classifier of a plan and two windows of three bars."""
    tokenizer = Plan()
    with same_weights():
        model = smallest(
            "process",
            "masked",
            tokenizer=tokenizer,
            backbone=smallest("backbone", "bert", length=512),
            schedule=smallest("schedule", "cosine"),
        )
    classifier = of(model.eval(), length=32)
    text = "bar2 q1 left c1 t0 p1 v d1 bar2 q1 left c1 t0 p0 v d1 bar3 q2 left c1 t1 p1 v d1"
    ids = tokenizer.to_ids(text.split())
    row = torch.tensor([tokenizer.cls_id, *ids.tolist(), tokenizer.sep_id])
    return classifier, toy_batch(toy_process("masked").tokenizer), row


@pytest.mark.parametrize(("stage", "groups"), [(0.0, 3), (0.9, 4)])
def test_rows_of_a_plan_end_as_drawing_has_them(planned, stage, groups):
    """Up to the second bar: its head alone, masked; or its head, and its notes masked."""
    classifier, batch, row = planned
    batch = replace(batch, ids=row[None], attention_mask=None, tokens=torch.tensor([len(row) - 2]), condition={})
    everything = torch.ones_like(batch.ids, dtype=torch.bool)
    z, places = classifier._as_drawn(batch, everything, torch.tensor([[0.9, 0.5, stage]]))
    assert int(places.mask.sum()) == 4 * groups + 2
    assert z[0, 4 * groups + 1] == classifier.tokenizer.sep_id
    masked = (z[0] == classifier.tokenizer.mask_id).nonzero()[:, 0]
    assert len(masked)
    assert masked.min() > 4 * (groups - 1)
    assert torch.equal(z[0, 1 : 4 * (groups - 1) + 1], row[1 : 4 * (groups - 1) + 1])
