"""A batch that is a part of a step: its rows of what is drawn, and its share of the mean."""

import pytest
import torch

from diffmidi.api.process import Batch

CUTS = [[5], [2, 3], [1, 1, 1, 1, 1], [4, 1]]


@pytest.fixture
def batch():
    words = torch.tensor([6, 3, 0, 5, 1])
    mask = torch.arange(8) < words[:, None] + 2
    return Batch(torch.arange(40).view(5, 8), mask, words, given=mask.roll(1, 0), condition={"key": words + 1})


def draw(rows):
    return torch.rand(rows, 3, generator=torch.Generator().manual_seed(rows))


@pytest.mark.parametrize("sizes", CUTS)
def test_parts_hold_the_rows_of_the_step_and_what_was_drawn_for_them(batch, sizes):
    parts = batch.cut(sizes)
    assert torch.equal(torch.cat([part.ids for part in parts]), batch.ids)
    assert torch.equal(torch.cat([part.attention_mask for part in parts]), batch.attention_mask)
    assert torch.equal(torch.cat([part.tokens for part in parts]), batch.tokens)
    assert torch.equal(torch.cat([part.places().given for part in parts]), batch.given)
    assert torch.equal(torch.cat([part.places().condition["key"] for part in parts]), batch.condition["key"])
    assert torch.equal(torch.cat([part.rows_of(draw) for part in parts]), batch.rows_of(draw))


@pytest.mark.parametrize("over", ["rows", "positions", "tokens"])
@pytest.mark.parametrize("sizes", CUTS)
def test_the_mean_over_parts_is_the_mean_over_the_step(batch, sizes, over):
    values = torch.rand(5, 8, generator=torch.Generator().manual_seed(0)) * batch.attention_mask
    count = {"rows": 5, "positions": 25, "tokens": 15}[over]
    torch.testing.assert_close(batch.mean(values, over), values.sum() / count)
    each = [part.mean(rows, over) for part, rows in zip(batch.cut(sizes), values.split(sizes), strict=True)]
    torch.testing.assert_close(torch.stack(each).mean(), values.sum() / count)


def test_without_a_mask_all_positions_count(batch):
    whole = Batch(batch.ids, None, torch.full((5,), 6))
    assert whole.mean(torch.ones(5, 8), "positions") == 1
    assert whole.cut([2, 3])[0].share.positions == 40


def test_a_share_goes_where_its_batch_goes(batch):
    part = batch.cut([2, 3])[1]
    assert part.to("cpu").share == part.share
    assert (part.share.first, part.share.rows, part.share.parts) == (2, 5, 2)


def test_a_step_without_words_has_a_mean(batch):
    empty = Batch(batch.ids[2:3], batch.attention_mask[2:3], batch.tokens[2:3])
    assert empty.mean(torch.zeros(1, 8), "tokens") == 0
    assert empty.cut([1])[0].mean(torch.zeros(1, 8), "tokens") == 0
