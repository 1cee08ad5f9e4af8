"""Draws by rows: what a row is given does not depend on the rows beside it."""

import pytest
import torch

from diffmidi.api.process import draw_categorical, draw_noise, draw_uniform
from diffmidi.api.sampler import some_rows
from diffmidi_core.diffusion.rows import RowGenerators
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import context_of, smallest, toy_batch, toy_canvas


def rows(*seeds):
    return RowGenerators([torch.Generator().manual_seed(seed) for seed in seeds])


DRAWS = {
    "noise": lambda generator, count: draw_noise(generator, torch.zeros(count, 5, 3)),
    "uniform": lambda generator, count: draw_uniform(generator, (count, 7), torch.device("cpu")),
    "categorical": lambda generator, count: draw_categorical(torch.zeros(count, 6, 50), generator),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_row_draws_the_same_whatever_is_beside_it(draw):
    together = draw(rows(7, 8, 9), 3)
    assert torch.equal(draw(rows(8), 1)[0], together[1])
    assert torch.equal(draw(rows(9, 7), 2), together[[2, 0]])
    assert not torch.equal(together[0], together[1])


def test_positions_draw_by_the_rows_that_they_are_of():
    together = draw_categorical(torch.zeros(6, 50), rows(7, 8, 9), row_of=torch.tensor([0, 0, 0, 2, 2, 2]))
    assert torch.equal(draw_categorical(torch.zeros(3, 50), rows(9), row_of=torch.zeros(3, dtype=int)), together[3:])


def test_some_rows_go_on_drawing_where_they_are():
    generator, wanted = rows(7, 8, 9), torch.tensor([True, False, True])
    some = draw_noise(some_rows(generator, wanted), torch.zeros(2, 4))
    assert torch.equal(some, draw_noise(rows(7, 9), torch.zeros(2, 4)))
    assert not torch.equal(draw_noise(generator, torch.zeros(3, 4))[[0, 2]], some)


def test_what_is_not_drawn_by_rows_comes_from_one_stream():
    one, plain = rows(7, 8), torch.Generator().manual_seed(7)
    assert torch.equal(torch.rand(5, generator=one), torch.rand(5, generator=plain))
    assert some_rows(plain, torch.tensor([True])) is plain


@pytest.mark.parametrize("name", ["ancestral", "confidence", "remask", "ddpm", "ddim", "dpmpp", "heun"])
def test_a_piece_is_the_same_in_any_batch(name):
    family = find("sampler", name).sampler().family
    process = smallest("process", family, **context_of("process")).eval()
    sampler, canvas = find("sampler", name).build(), toy_canvas(toy_batch(process.tokenizer))
    words = sampler.sample(process, canvas, steps=4, generator=rows(*range(len(canvas.ids))))
    for row in range(len(words)):
        keep = None if canvas.keep is None else canvas.keep[[row]]
        alone = type(canvas)(canvas.ids[[row]], canvas.fixed[[row]], keep)
        assert torch.equal(sampler.sample(process, alone, steps=4, generator=rows(row))[0], words[row])
