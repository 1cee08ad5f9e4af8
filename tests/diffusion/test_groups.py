"""Several tokens as one position: there and back, what is not whole, and how many positions a model is asked for."""

import pytest
import torch

from diffmidi.api.process import side_by_side
from diffmidi_core.diffusion.groups import Seen, grouped, places_for, ungrouped
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import context_of, toy_batch
from tests.plan import TOKENIZER


@pytest.mark.parametrize("length", [2, 3, 6, 9])
@pytest.mark.parametrize("group", [1, 3, 4])
def test_groups_come_apart_as_they_were(length, group):
    tokens = torch.arange(1, 2 * length + 1).view(2, length)
    found = grouped(tokens, group)
    assert found.shape == (2, length if group == 1 else -(-(length - 2) // group), group)
    back = ungrouped(found, group, length)
    assert torch.equal(back[:, 1:-1], tokens[:, 1:-1])
    if group > 1:
        features = torch.stack([tokens, -tokens], -1)
        flat, real = side_by_side(features, group, None)
        assert real is None
        assert torch.equal(flat.view(2, -1, group, 2)[..., 0], found)


def made(name, **options):
    context = context_of("process")
    context["tokenizer"] = find("tokenizer", "mmm").build({"layout": "aligned"})
    context["backbone"] = find("backbone", "bert").build({"size": "tiny"}, length=6)
    if name == "gaussian":
        context["schedule"] = find("schedule", "sqrt").build()
        options |= {"steps": 20}
    return find("process", name).build({"notes": True, **options}, **context).eval()


def test_the_backbone_of_masked_reads_as_many_positions_as_there_are_notes():
    process = made("masked")
    batch = toy_batch(process.tokenizer)
    read, network = [], process.network
    process.network = lambda seen: read.append(seen) or network(seen)
    process.loss(batch, torch.Generator().manual_seed(0))
    (seen,) = read
    assert isinstance(seen, Seen)
    assert seen.ids.shape == (len(batch.ids), -(-(batch.ids.shape[1] - 2) // 4), 4)
    assert (4 * seen.real.sum(-1)).tolist() == batch.tokens.tolist()
    assert not (seen.ids[seen.real] == process.tokenizer.sep_id).any()


def test_the_ends_of_a_window_of_gaussian_are_known_to_it():
    process = made("gaussian", neighbours=2)
    batch = toy_batch(process.tokenizer)
    x = process.embed(batch.ids) + torch.randn(*batch.ids.shape, process.options.dim)
    found = process.denoise(x, torch.full((len(x),), 0.5), batch.places())
    rows = torch.arange(len(x))
    table = process.embeddings()
    torch.testing.assert_close(found[:, 0], table[1].expand(len(x), -1))
    torch.testing.assert_close(found[rows, batch.tokens + 1], table[2].expand(len(x), -1))
    other = torch.where(batch.mask()[..., None], x, 9.0)
    again = process.denoise(other, torch.full((len(x),), 0.5), batch.places())
    torch.testing.assert_close(found[batch.mask()], again[batch.mask()])


@pytest.mark.parametrize(("notes", "positions"), [(True, 25), (False, 102)])
def test_how_many_positions_a_backbone_is_to_have(notes, positions):
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    for name in ("masked", "gaussian"):
        offer = find("process", name)
        options = offer.options({"notes": notes})
        assert offer.implementation().positions(options, tokenizer, 100, 8) == positions
    masked = find("process", "masked")
    assert masked.implementation().positions(masked.options({}), TOKENIZER, 100, 8) == places_for(8)
