"""ancestral, confidence and remask: legal whatever the model, true to it, and no dearer than they must be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.sampler import Canvas, RowDraws
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import LENGTH, context_of, smallest, toy_batch, toy_canvas

SAMPLERS = [
    ("ancestral", {}),
    ("ancestral", {"temperature": 2.0, "top_p": 0.5}),
    ("confidence", {}),
    ("confidence", {"order_noise": 0.0}),
    ("remask", {"eta": 0.2}),
    ("remask", {"strategy": "rescale", "eta": 0.5}),
]
TOKENIZERS = [
    *(("mmm", {"layout": layout}) for layout in ("aligned", "run", "paper")),
    ("remi", {}),
    *(("miditok", {"type": kind}) for kind in ("TSD", "MIDILike", "Structured")),
]


def drawn_by(sampler, process, canvas, **more):
    return sampler.sample(process, canvas, draws=RowDraws.seeded(0, len(canvas.ids)), **more).ids


@pytest.fixture(params=SAMPLERS, ids=str)
def sampler(request):
    name, options = request.param
    return find("sampler", name).build(options)


@pytest.fixture(scope="module", params=TOKENIZERS, ids=str)
def untrained(request):
    name, options = request.param
    tokenizer = find("tokenizer", name).build({**find("tokenizer", name).load().tiny, **options})
    return smallest("process", "masked", **{**context_of("process"), "tokenizer": tokenizer}).eval()


@pytest.fixture
def fixed_odds(make_process):
    """A process of 4 words whose network gives them the same odds everywhere, whatever it sees."""
    process = make_process("masked", words=4).eval()
    logits = torch.log(torch.tensor([1.0, 1, 1, 1, 0.4, 0.3, 0.2, 0.1]))
    process.denoise = lambda z, m, places: logits.expand(*z.shape, -1)
    return process


@pytest.mark.parametrize("kept", [0.0, 0.4])
def test_an_untrained_model_makes_no_fault_and_keeps_what_is_kept(untrained, sampler, kept):
    tokenizer = untrained.tokenizer
    canvas = toy_canvas(toy_batch(tokenizer), kept)
    for steps in (1, 7):
        words = drawn_by(sampler, untrained, canvas, steps=steps)
        assert torch.equal(words[canvas.fixed], canvas.ids[canvas.fixed])
        assert [tokenizer.faults(row.numpy()) for row in words] == [0] * len(words)


@pytest.mark.parametrize("steps", [1, 3, 50])
def test_an_oracle_gives_the_words_back(sampler, steps):
    process = smallest("process", "masked", **context_of("process")).eval()
    batch = toy_batch(process.tokenizer)
    words = drawn_by(sampler, process, toy_canvas(batch, 0.2), steps=steps, denoise=process.oracle(batch.ids))
    assert torch.equal(words, batch.ids)


@pytest.mark.parametrize("name", ["ancestral", "remask"])
@pytest.mark.parametrize("steps", [1, 30])
def test_words_come_as_often_as_the_network_says(fixed_odds, name, steps):
    canvas = Canvas.blank(1000, 12)
    words = drawn_by(find("sampler", name).build(), fixed_odds, canvas, steps=steps)[:, 1:-1]
    shares = torch.bincount(words.flatten(), minlength=8)[4:] / words.numel()
    torch.testing.assert_close(shares, torch.tensor([0.4, 0.3, 0.2, 0.1]), rtol=0, atol=0.02)


def test_temperature_and_top_p_narrow_the_choice(fixed_odds):
    def drawn(**options):
        sampler = find("sampler", "ancestral").build(options)
        return drawn_by(sampler, fixed_odds, Canvas.blank(200, 12), steps=4)[:, 1:-1]

    assert drawn(top_p=0.3).unique().tolist() == [4]
    assert drawn(top_p=0.5).unique().tolist() == [4, 5]
    assert drawn(temperature=0.05).eq(4).float().mean() > 0.95


def hidden_after_each_step(process, name, options, steps, rows=300):
    """The share of words hidden when the network is asked, and how many rows it is asked about, call by call."""
    seen, denoise = [], process.denoise
    process.denoise = lambda z, m, places: (
        seen.append((float((z == 3).sum() / (len(z) * 20)), len(z))) or denoise(z, m, places)
    )
    drawn_by(find("sampler", name).build(options), process, Canvas.blank(rows, 20), steps=steps)
    process.denoise = denoise
    return np.array(seen).T


@pytest.mark.parametrize(("name", "options"), [("ancestral", {}), ("confidence", {}), ("remask", {"eta": 0.1})])
def test_hidden_words_get_fewer_evenly(fixed_odds, name, options):
    shares, _ = hidden_after_each_step(fixed_odds, name, options, 5)
    np.testing.assert_allclose(shares, [1, 0.8, 0.6, 0.4, 0.2], atol=0.03)


def test_remasking_nothing_is_ancestral_and_remasking_says_words_again(fixed_odds):
    def drawn(name, **options):
        return drawn_by(find("sampler", name).build(options), fixed_odds, Canvas.blank(8, 30), steps=20)

    assert torch.equal(drawn("remask", eta=0), drawn("ancestral"))
    said = []
    draw = fixed_odds.draw
    fixed_odds.draw = lambda *all, wanted, **more: said.append(int(wanted.sum())) or draw(*all, wanted=wanted, **more)
    drawn("ancestral")
    once, said[:] = sum(said), []
    drawn("remask", eta=0.1)
    assert once == 8 * 30
    assert sum(said) > 1.2 * once


@pytest.mark.parametrize("name", ["ancestral", "confidence"])
def test_the_network_is_asked_only_where_a_word_is_due(fixed_odds, name):
    _, rows = hidden_after_each_step(fixed_odds, name, {}, 400, rows=10)
    assert rows.sum() <= 10 * 20


def test_confidence_begins_with_the_surest_words(make_process):
    process = make_process("masked", words=4).eval()
    # The further right, the surer.
    sure = torch.zeros(22, 8)
    sure[:, 4] = torch.linspace(0, 30, 22)
    steps = []
    process.denoise = lambda z, m, places: steps.append(z) or sure.expand(len(z), -1, -1)
    drawn_by(find("sampler", "confidence").build({"order_noise": 0}), process, Canvas.blank(1, 20), steps=4)
    assert (steps[1][0] == 3).nonzero().flatten().tolist() == list(range(1, 16))


def test_keep_goes_to_the_network_row_by_row(sampler):
    process = smallest("process", "masked", **context_of("process")).eval()
    canvas = toy_canvas(toy_batch(process.tokenizer))
    lengths = canvas.attention_mask.sum(-1).tolist()
    asked = []
    denoise = process.denoise
    process.denoise = lambda z, m, places: asked.append((z, places.mask)) or denoise(z, m, places)
    drawn_by(sampler, process, canvas, steps=40)
    assert all(torch.equal(z != 0, mask) for z, mask in asked)
    assert {int(each) for _, mask in asked for each in mask.sum(-1)} <= set(lengths)


def test_the_untyped_may_make_faults_and_the_typed_never(untrained):
    process = find("process", "masked").build(
        {"typed": False}, **{**context_of("process"), "tokenizer": untrained.tokenizer}
    )
    sampler = find("sampler", "ancestral").build()
    words = drawn_by(sampler, process.eval(), Canvas.blank(4, LENGTH - 2), steps=3)
    assert sum(untrained.tokenizer.faults(row.numpy()) for row in words) > 0
    assert words[:, 1:-1].min() >= 4


def test_a_process_of_another_family_is_refused(make_process, sampler):
    with pytest.raises(DiffmidiError, match="MaskedDiffusion"):
        drawn_by(sampler, make_process("gaussian"), Canvas.blank(1, 3), steps=2)


@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps_are_refused(fixed_odds, sampler, steps):
    with pytest.raises(DiffmidiError, match="at least 1 step"):
        drawn_by(sampler, fixed_odds, Canvas.blank(1, 3), steps=steps)
