"""What a canvas allows: legal texts of allowed tokens, by every built-in sampler, and a refusal where there is none."""

import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.sampler import Canvas, RowDraws
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import context_of, smallest, toy_batch, toy_canvas

SAMPLERS = ["ancestral", "confidence", "remask", "ddpm", "dpmpp", "heun", "autoregressive"]
TOKENIZERS = [("mmm", {"layout": "run"}), ("remi", {}), ("miditok", {"type": "MIDILike"})]


@pytest.fixture(params=TOKENIZERS, ids=str)
def tokenizer(request):
    name, options = request.param
    return find("tokenizer", name).build({**find("tokenizer", name).load().tiny, **options})


def untrained(sampler, tokenizer):
    family = find("sampler", sampler).load().family
    return smallest("process", family, **context_of("process") | {"tokenizer": tokenizer}).eval()


def restricted(process, share):
    """A canvas that allows a share of all tokens at every position, and those of a text that there is."""
    batch = toy_batch(process.tokenizer)
    blank, count = toy_canvas(batch), batch.ids.numel()
    draws = torch.rand(count, len(process.tokenizer.vocab), generator=torch.Generator().manual_seed(0))
    sets = (draws < share).scatter(-1, batch.ids.reshape(-1, 1), True)
    place = torch.arange(count).view(batch.ids.shape)
    return batch, Canvas(blank.ids, blank.allowed.where(blank.fixed, place), blank.attention_mask, sets)


def drawn(name, process, canvas):
    draws, steps = RowDraws.seeded(0, len(canvas.ids)), 24 if name == "autoregressive" else 20
    return find("sampler", name).build().sample(process, canvas, steps=steps, draws=draws).ids


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("share", [0.02, 0.3])
def test_texts_are_legal_and_of_allowed_tokens(tokenizer, sampler, share):
    process = untrained(sampler, tokenizer)
    _, canvas = restricted(process, share)
    found = drawn(sampler, process, canvas)
    assert [tokenizer.faults(row.numpy()) for row in found] == [0] * len(found)
    assert canvas.admitted().gather(-1, found[..., None]).all()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_allowed_token_everywhere_is_that_text(tokenizer, sampler):
    process = untrained(sampler, tokenizer)
    batch, canvas = restricted(process, 0.0)
    assert canvas.fixed.all()
    assert torch.equal(drawn(sampler, process, canvas), batch.ids)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sets_without_a_legal_text_are_refused(tokenizer, sampler):
    process = untrained(sampler, tokenizer)
    batch, canvas = restricted(process, 0.0)
    kinds = torch.from_numpy(tokenizer.grammar.type_of)
    never = next(k for k in range(1, len(tokenizer.grammar.types)) if tokenizer.grammar.next_state[0, k] < 0)
    sets = (kinds == never)[None]
    allowed = canvas.allowed.clone()
    allowed[:, 1] = 0  # a type that no text begins with
    broken = Canvas(batch.ids, allowed, canvas.attention_mask, sets)
    with pytest.raises(DiffmidiError, match="leaves no way"):
        drawn(sampler, process, broken)
