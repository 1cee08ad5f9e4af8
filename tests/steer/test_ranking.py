"""Takes in order: what of them is counted, by what they are ranked, and how their folder says so."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from diffmidi_core.contracts.process import Bound
from diffmidi_core.draw.filled import Shown, cells_of, windows_of
from diffmidi_core.errors import UsageError
from diffmidi_core.request import Request
from diffmidi_core.sections import Part
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.ranking import MASKINGS, Candidate, agreement, bits_per_note, ranked
from diffmidi_core.steer.regions import regions

from .test_holes import ORDERS, piece, texts


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("asked", "window"), [("bars 5-6", 8), ("bars 3-14", 4), ("bars 5-8, hand left", 8)])
def test_each_new_token_is_new_in_one_window_and_no_other_is(order: str, asked: str, window: int) -> None:
    laid, done, hand = texts(Asked.region(piece(), regions([asked])), order, window)
    shown = [*windows_of(laid.hole, done)]
    mask = hand.tokenizer.mask_id
    new = sum(len(text) for text in done) - sum(int((c.ids != mask).sum()) for b in laid.hole.bars for c in b if c.free)
    assert sum(int(window.new.sum()) for window in shown) == new
    assert all((window.ids >= 4).all() and len(window.ids) <= laid.hole.length for window in shown)
    assert (len(shown) > 1) == (window == 4)


def test_what_stood_of_reworked_notes_is_not_new() -> None:
    laid, done, _ = texts(Asked.region(piece(), regions(["bars 5-6"]), locks=["rhythm"]))
    (window,) = windows_of(laid.hole, done)
    assert int(window.new.sum()) == 2 * 2 * 3 * 2  # pitch and velocity of three notes in two hands and two bars


def test_texts_of_cells_come_apart_as_they_were() -> None:
    _, done, hand = texts(Asked.region(piece(), regions(["bars 5-8"])))
    again = cells_of(np.concatenate(done), hand.tokenizer)
    assert [text.tolist() for text in again] == [text.tolist() for text in done]


class Charging(torch.nn.Module):
    """A process that charges a token its id; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.asked: list[tuple[object, int]] = []

    def bound(self, batch, generator, *, levels):
        self.asked.append((batch, levels))
        self.noise = torch.rand(4, generator=generator)
        return Bound({"tokens": batch.ids.double()}, batch.tokens)


def model(labels=()) -> SimpleNamespace:
    parts = {"process": Part(name="masked")}
    return SimpleNamespace(process=Charging(), parts=parts, manifest=SimpleNamespace(labels=labels))


def take(number: int, ids: list[int], new: list[bool], notes: int = 1, score=None) -> Candidate:
    return Candidate(number, [Shown(np.array(ids), np.array(new))], notes, lambda: score)


def asked(**given) -> Request:
    return Request(sampler=Part(name="confidence"), **given)


def test_only_what_is_new_is_counted_per_new_note() -> None:
    one = model()
    found = bits_per_note(
        one, [take(1, [9, 5, 6], [False, True, True], 2), take(2, [9, 9, 9, 7], [False] * 3 + [True])]
    )
    assert found == [5.5, 7.0]
    (first, levels), (second, _) = one.process.asked
    assert levels == MASKINGS
    assert first.given.tolist() == [[True, True, False, False, True, True]]
    assert first.ids.shape == second.ids.shape  # so the same places are masked


def test_the_best_is_first_and_a_take_without_new_notes_the_last() -> None:
    takes = [take(1, [9], [True]), take(2, [5], [False], 0), take(3, [4], [True])]
    ranks = ranked(model(), asked(), takes, piece().score, nullcontext)
    assert [rank.drawn for rank in ranks] == [3, 1, 2]
    assert [rank.value for rank in ranks] == [4, 9, None]
    assert ranks[0].told() == "4 bits per new note (take 3 as drawn)"


def test_a_metric_ranks_by_how_near_takes_are_to_the_piece() -> None:
    file = piece()
    dense, sparse = piece(16).score, piece(16).score
    for track in sparse.tracks:
        track.notes = track.notes[::3]
    takes = [take(1, [9], [True], score=sparse), take(2, [9], [True], score=dense)]
    ranks = ranked(model(), asked(rank_by="note_density"), takes, file.score, nullcontext)
    assert [rank.drawn for rank in ranks] == [2, 1]
    assert ranks[0].by == "note_density"


@pytest.mark.parametrize("name", ["bound_bpw", "grammar_faults", "judge"])
def test_a_metric_that_does_not_judge_notes_is_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match="choose another metric") as error:
        ranked(model(), asked(rank_by=name), [take(1, [9], [True])] * 2, piece().score, nullcontext)
    assert "\n" not in str(error.value)


def test_agreement_is_the_share_of_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffmidi_core.data.known_labels import KnownLabel

    levels = ("low", "medium", "high")
    known = tuple(
        KnownLabel(name=name, of="windows", values=levels, counts=(1, 1, 1), edges=(1.0, 2.0)) for name in ("a", "b")
    )
    request = asked(want={"a": "low", "b": "high"}, rank_by="labels")
    for has, share in (({"a": "low", "b": "high"}, 1), ({"a": "low", "b": "medium"}, 0.75), ({"a": "high"}, 0)):
        monkeypatch.setattr("diffmidi_core.steer.ranking.obtained", lambda known, score, has=has: has)
        assert agreement(model(known), request, take(1, [9], [True])) == share
