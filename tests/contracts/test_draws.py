"""RowDraws: what a row is given does not depend on the rows beside it."""

import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.sampler import RowDraws
from diffmidi_core.contracts.draws import inverse


def rows(*seeds):
    return RowDraws([torch.Generator().manual_seed(seed) for seed in seeds])


DRAWS = {
    "normal": lambda draws: draws.normal(torch.zeros(len(draws), 5, 3)),
    "uniform": lambda draws: draws.uniform(torch.zeros(len(draws), 7)),
    "categorical": lambda draws: draws.categorical(torch.zeros(len(draws), 6, 50)),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_row_draws_the_same_whatever_is_beside_it(draw):
    together = draw(rows(7, 8, 9))
    assert torch.equal(draw(rows(8))[0], together[1])
    assert torch.equal(draw(rows(9, 7)), together[[2, 0]])
    assert not torch.equal(together[0], together[1])


def test_positions_draw_by_the_rows_that_they_are_of():
    together = rows(7, 8, 9).categorical(torch.zeros(6, 50), row_of=torch.tensor([0, 0, 0, 2, 2, 2]))
    assert torch.equal(rows(9).categorical(torch.zeros(3, 50), row_of=torch.zeros(3, dtype=int)), together[3:])


def test_some_rows_go_on_drawing_where_they_are():
    draws, wanted = rows(7, 8, 9), torch.tensor([True, False, True])
    some = draws.some(wanted).normal(torch.zeros(2, 4))
    assert torch.equal(some, rows(7, 9).normal(torch.zeros(2, 4)))
    assert not torch.equal(draws.normal(torch.zeros(3, 4))[[0, 2]], some)


def test_categories_come_as_often_as_their_probabilities():
    p = torch.tensor([0.5, 0.3, 0.2, 0.0], dtype=torch.float64)
    drawn = rows(7, 8).categorical(p.log().expand(2, 20_000, -1))
    shares = torch.bincount(drawn.flatten(), minlength=4) / drawn.numel()
    torch.testing.assert_close(shares, p.float(), rtol=0, atol=0.01)


def test_draws_of_other_rows_are_refused():
    for draw in (lambda: rows(7, 8).normal(torch.zeros(3, 4)), lambda: rows(7).uniform(torch.zeros(()))):
        with pytest.raises(DiffmidiError, match="draws for"):
            draw()


def test_it_is_no_generator():
    with pytest.raises(TypeError):
        torch.rand(3, generator=rows(7))


def test_one_seed_gives_every_row_a_stream_of_its_own():
    draws, like = RowDraws.seeded(5, 3), torch.zeros(3, 4)
    first = draws.normal(like)
    assert torch.equal(first, RowDraws.seeded(5, 3).normal(like))
    assert not torch.equal(first, RowDraws.seeded(6, 3).normal(like))
    assert not torch.equal(first[0], first[1])


def test_how_wide_a_canvas_is_decides_nothing_where_a_width_is_given():
    def draws() -> RowDraws:
        return RowDraws([torch.Generator().manual_seed(seed) for seed in range(2)], width=10)

    for shape in ((), (3,)):
        wide, narrow = torch.zeros(2, 10, *shape), torch.zeros(2, 4, *shape)
        assert draws().normal(narrow).equal(draws().normal(wide)[:, :4])
        assert draws().uniform(narrow).equal(draws().uniform(wide)[:, :4])
    logits = torch.zeros(2, 10, 5)
    assert draws().categorical(logits[:, :4]).equal(draws().categorical(logits)[:, :4])


def test_numbers_are_those_that_a_categorical_draw_takes():
    row_of, logits = torch.tensor([0, 0, 1, 2, 2]), torch.randn(5, 7)
    one, other = RowDraws.seeded(3, 3), RowDraws.seeded(3, 3)
    u = one.numbers(row_of)
    assert u.shape == (5,)
    assert inverse(logits, u).equal(other.categorical(logits, row_of=row_of))


def test_numbers_of_a_row_do_not_hang_on_what_the_rows_beside_it_want():
    few, many = RowDraws.seeded(3, 2), RowDraws.seeded(3, 2)
    u, more = few.numbers(torch.tensor([0, 0, 1])), many.numbers(torch.tensor([0, 0, 1, 1, 1, 1]))
    assert more[:2].equal(u[:2])
    like = torch.zeros(2, 3)
    assert few.uniform(like)[0].equal(many.uniform(like)[0])
