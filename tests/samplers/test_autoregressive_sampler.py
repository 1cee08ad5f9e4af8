"""autoregressive: legal whatever the model, true to it, and one evaluation a word."""

from __future__ import annotations

import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.sampler import Canvas, RowDraws
from diffmidi_core.contracts.canvas import GIVEN
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import context_of, smallest, toy_batch, toy_canvas

TOKENIZERS = [
    *(("mmm", {"layout": layout}) for layout in ("aligned", "run", "paper")),
    ("remi", {}),
    *(("miditok", {"type": kind}) for kind in ("TSD", "MIDILike", "Structured")),
]


def draw(process, canvas, *, steps=24, seed=0, denoise=None, on_step=None, **options):
    sampler = find("sampler", "autoregressive").build(options)
    draws = RowDraws.seeded(seed, len(canvas.ids))
    return sampler.sample(process, canvas, steps=steps, draws=draws, denoise=denoise, on_step=on_step).ids


@pytest.fixture(scope="module", params=TOKENIZERS, ids=str)
def untrained(request):
    name, options = request.param
    tokenizer = find("tokenizer", name).build({**find("tokenizer", name).load().tiny, **options})
    return smallest("process", "autoregressive", **context_of("process") | {"tokenizer": tokenizer}).eval()


@pytest.fixture
def process():
    return smallest("process", "autoregressive", **context_of("process")).eval()


@pytest.fixture
def four(make_process):
    """A process of 4 words."""
    return find("process", "autoregressive").build({}, **_parts(make_process("masked", words=4))).eval()


def _parts(other):
    return {"tokenizer": other.tokenizer, "backbone": other.backbone, "schedule": other.schedule}


ODDS = torch.log(torch.tensor([1.0, 1, 1, 1, 0.4, 0.3, 0.2, 0.1]))


def shares(process, **options):
    words = draw(process, Canvas.blank(800, 12), denoise=lambda seen, places: ODDS.expand(*seen.shape, -1), **options)[
        :, 1:-1
    ]
    return torch.bincount(words.flatten(), minlength=8)[4:] / words.numel()


@pytest.mark.parametrize("kept", [0.0, 0.4])
@pytest.mark.parametrize("options", [{}, {"temperature": 2.0, "top_p": 0.5}, {"top_k": 3}], ids=str)
def test_an_untrained_model_makes_no_fault_and_keeps_what_is_kept(untrained, kept, options):
    tokenizer = untrained.tokenizer
    canvas = toy_canvas(toy_batch(tokenizer), kept)
    words = draw(untrained, canvas, **options)
    assert torch.equal(words[canvas.fixed], canvas.ids[canvas.fixed])
    assert [tokenizer.faults(row.numpy()) for row in words] == [0] * len(words)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.4, 0.3, 0.2, 0.1]),
        ({"temperature": 0.5}, [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.75}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"top_k": 3, "top_p": 0.5}, [4 / 7, 3 / 7, 0, 0]),
    ],
    ids=str,
)
def test_words_come_as_often_as_the_network_says(four, options, expected):
    torch.testing.assert_close(shares(four, **options), torch.tensor(expected), rtol=0, atol=0.02)


def test_a_word_is_drawn_given_those_before_it_and_what_is_kept(four):
    """A network that always answers with the word after the last one, in a circle, whatever the canvas says later."""

    def next_in_circle(seen, places):
        logits = torch.full((*seen.shape, 8), -torch.inf)
        before = torch.cat([seen[:, :1], seen[:, :-1]], 1)
        return logits.scatter(-1, torch.where(before < 4, 4, 4 + (before - 3) % 4)[..., None], 0.0)

    canvas = Canvas.blank(2, 6)
    canvas.ids[1, 3], canvas.allowed[1, 3] = 4, GIVEN
    words = draw(four, canvas, denoise=next_in_circle)
    assert words.tolist() == [[1, 4, 5, 6, 7, 4, 5, 2], [1, 4, 5, 4, 5, 6, 7, 2]]


def test_the_network_sees_only_what_stands_and_is_asked_once_a_word(process):
    seen, told = [], []
    canvas = toy_canvas(toy_batch(process.tokenizer), 0.3)
    real = process.predict
    draw(
        process,
        canvas,
        steps=30,
        denoise=lambda ids, places: seen.append(ids.clone()) or real(ids, places),
        on_step=lambda *said: told.append(said),
    )
    free = (~canvas.fixed).any(0).nonzero().flatten().tolist()
    assert [ids.shape[1] - 1 for ids in seen] == free
    assert told == [(done, 30) for done in range(1, 31)]
    for ids in seen:
        assert not (ids[:, :-1] == 3).any()


def test_nothing_is_drawn_that_leaves_only_what_is_not_allowed(process):
    """In layout `run`, a chain of `t` would go on for ever: where no `t` is allowed it must have ended before."""
    tokenizer = find("tokenizer", "mmm").build({**find("tokenizer", "mmm").load().tiny, "layout": "run"})
    process = smallest("process", "autoregressive", **context_of("process") | {"tokenizer": tokenizer}).eval()
    kinds = torch.from_numpy(tokenizer.grammar.type_of)
    blank = Canvas.blank(20, 10)
    allowed = blank.allowed.clone()
    allowed[:, 9] = 0  # of ten tokens the last but one
    canvas = Canvas(blank.ids, allowed, None, (kinds == tokenizer.grammar.types.index("velocity"))[None])
    shift = kinds == tokenizer.grammar.types.index("shift")
    words = draw(process, canvas, denoise=lambda seen, places: (50.0 * shift).expand(*seen.shape, -1))
    assert [tokenizer.faults(row.numpy()) for row in words] == [0] * 20
    assert (kinds[words[:, 9]] == tokenizer.grammar.types.index("velocity")).all()


def test_fewer_steps_than_words_are_refused(process):
    with pytest.raises(DiffmidiError, match=r"one step a token: 12 at least \(given: 11\)"):
        draw(process, Canvas.blank(1, 12), steps=11)
    assert draw(process, Canvas.blank(1, 12), steps=12).shape == (1, 14)


def test_a_canvas_without_a_free_word_comes_back(process):
    batch = toy_batch(process.tokenizer)
    canvas = Canvas.of(batch.ids, torch.ones_like(batch.ids, dtype=torch.bool), batch.attention_mask)
    assert torch.equal(draw(process, canvas, steps=1), batch.ids)


def test_a_process_of_another_family_is_refused():
    masked = smallest("process", "masked", **context_of("process"))
    with pytest.raises(DiffmidiError, match="AutoregressiveProcess"):
        draw(masked, Canvas.blank(1, 4))
