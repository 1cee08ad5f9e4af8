"""Canvas: what may stand where, and that one allowed token is a fixed one."""

from dataclasses import replace

import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.sampler import Canvas
from diffmidi_core.contracts.canvas import ANY, GIVEN

IDS = torch.tensor([[1, 5, 3, 3, 2]])


def sets(*tokens):
    return torch.stack([torch.isin(torch.arange(8), torch.tensor(each)) for each in tokens])


def test_a_position_with_one_allowed_token_is_fixed_to_it():
    allowed = torch.tensor([[GIVEN, GIVEN, 0, 1, GIVEN]])
    canvas = Canvas(IDS, allowed, None, sets([4, 6], [7]))
    assert canvas.fixed.tolist() == [[True, True, False, True, True]]
    assert canvas.ids.tolist() == [[1, 5, 3, 7, 2]]


def test_admitted_is_the_set_all_music_or_anything_at_all():
    allowed = torch.tensor([[GIVEN, 1, 0, ANY, GIVEN]])
    admitted = Canvas(IDS, allowed, None, sets([0, 3, 4, 6], [5, 7])).admitted()[0]
    assert [row.nonzero().flatten().tolist() for row in admitted] == [
        list(range(8)),
        [5, 7],
        [4, 6],
        [4, 5, 6, 7],
        list(range(8)),
    ]
    assert Canvas.of(IDS, IDS != 3).admitted() is None


def test_a_set_without_a_token_of_music_is_refused_where_it_is_named():
    for empty in ([], [0, 3]):
        with pytest.raises(DiffmidiError, match="empty"):
            Canvas(IDS, torch.tensor([[GIVEN, GIVEN, 0, 1, GIVEN]]), None, sets([4, 5], empty))
    Canvas(IDS, torch.tensor([[GIVEN, GIVEN, 0, 0, GIVEN]]), None, sets([4, 5], []))


def test_rows_and_devices_keep_what_is_allowed():
    two = Canvas(IDS.expand(2, -1), torch.tensor([[GIVEN, ANY, 0, 0, GIVEN], [GIVEN] * 5]), IDS.expand(2, -1) > 0)
    for one in (two.rows(torch.tensor([True, False])), two.rows(torch.tensor([0])).to("cpu")):
        assert one.allowed.tolist() == two.allowed[:1].tolist()
        assert one.attention_mask.shape == (1, 5)


def test_what_is_known_of_places_goes_with_its_rows():
    canvas = Canvas.blank(3, 2)
    types, label = torch.arange(12).view(3, 4), torch.arange(3)
    places = replace(canvas, types=types, condition={"key": label}).rows(torch.tensor([0, 2])).places()
    assert places.types.tolist() == types[[0, 2]].tolist()
    assert places.condition["key"].tolist() == [0, 2]
    assert places.mask is None
    twice = places.repeated(2)
    assert twice.types.tolist() == types[[0, 2, 0, 2]].tolist()
    assert twice.condition["key"].tolist() == [0, 2, 0, 2]


def test_rows_begin_with_the_tokens_that_are_given_and_are_as_long_as_is_asked():
    canvas = Canvas.begun([[7, 8], []], [5, 3], width=6)
    assert canvas.ids.tolist() == [[1, 7, 8, 0, 0, 0, 2, 0], [1, 0, 0, 0, 2, 0, 0, 0]]
    assert canvas.attention_mask.sum(-1).tolist() == [7, 5]
    free = ~canvas.fixed
    assert free.sum(-1).tolist() == [3, 3]
    assert free[0, 3:6].all()
    assert free[1, 1:4].all()


def test_full_rows_need_no_mask():
    canvas = Canvas.begun([[7], [7, 8]], [4, 4])
    assert canvas.attention_mask is None
    assert torch.equal(Canvas.begun([(), ()], [4, 4]).ids, Canvas.blank(2, 4).ids)


def test_narrowing_leaves_less_everywhere_and_what_is_fixed():
    allowed = torch.tensor([[GIVEN, 1, 0, ANY, GIVEN]])
    canvas = Canvas(IDS, allowed, None, sets([4, 6], [4, 5, 7]))
    tokens = torch.isin(torch.arange(8), torch.tensor([0, 4, 5, 6]))
    narrow = canvas.narrowed(tokens).admitted()[0]
    assert [row.nonzero().flatten().tolist() for row in narrow[1:4]] == [[4, 5], [4, 6], [4, 5, 6]]
    here = canvas.narrowed(tokens, torch.tensor([[True, True, False, False, True]])).admitted()[0]
    assert [row.nonzero().flatten().tolist() for row in here[1:4]] == [[4, 5], [4, 6], [4, 5, 6, 7]]
    assert torch.equal(canvas.narrowed(tokens).fixed, canvas.fixed)


def test_narrowing_to_nothing_is_refused():
    with pytest.raises(DiffmidiError, match="a set of allowed tokens is empty"):
        Canvas(IDS, torch.tensor([[GIVEN, GIVEN, 0, 0, GIVEN]]), None, sets([4, 6])).narrowed(sets([5])[0])
