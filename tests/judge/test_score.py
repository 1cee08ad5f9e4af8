"""The bits of a piece: all of it, by whatever they are counted, and against the bound of its windows."""

import json
import math

import numpy as np
import pytest

from diffmidi.api import RefusedError
from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, notes_of, score_of
from diffmidi_core.config import resolve
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.judge.score import score
from diffmidi_core.machine.build import build_process
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import find

from .conftest import LENGTH, Model


@pytest.fixture(scope="module")
def music():
    """Fifty notes, some together: seven windows of 32 tokens."""
    rng = np.random.default_rng(3)
    onset = np.sort(rng.integers(0, 40, 50)) * 240
    pitch = 40 + np.arange(50)
    return score_of(Notes(onset, np.full(50, 240), pitch, np.full(50, 80)))


@pytest.mark.parametrize("process", ["gaussian", "masked", "autoregressive"])
def test_the_parts_add_up_to_all_bits(make_model, music, process):
    model = make_model(process)
    found = score(model, music, levels=2)
    ids = model.tokenizer.encode(music)
    assert (found.tokens, found.notes, found.windows) == (len(ids), 50, math.ceil(len(ids) / LENGTH))
    assert found.bits > 0
    assert sum(each.bits for each in found.by_type.values()) == pytest.approx(found.bits)
    assert sum(each.tokens for each in found.by_type.values()) == found.tokens + 2 * found.windows
    assert sum(each.bits for each in found.by_note) + found.other == pytest.approx(found.bits)
    assert found.per_note == pytest.approx(found.bits / 50)
    assert found.per_token == pytest.approx(found.bits / len(ids))
    assert found.kind == ("exact" if process == "autoregressive" else "bound")
    assert found.levels == (None if process == "autoregressive" else 2)


def test_notes_are_named_by_pitch_and_onset_in_their_order(model, music):
    notes = notes_of(model.tokenizer.decode(model.tokenizer.encode(music)))
    found = score(model, music, levels=2).by_note
    assert [each.pitch for each in found] == notes.pitch.tolist()
    assert [each.onset for each in found] == (notes.onset / 480).tolist()
    assert {each.together for each in found} == {1}


def test_a_note_costs_what_its_own_tokens_do(make_model, music):
    """A note changed near the end changes no bit of an exact likelihood before it."""
    model = make_model("autoregressive")
    notes = notes_of(music)
    notes.pitch[-3] += 1
    one, other = (score(model, each).by_note for each in (music, score_of(notes)))
    before = [each.bits for each in one[:-3]]
    assert before == pytest.approx([each.bits for each in other[:-3]])
    assert one[-3].bits != pytest.approx(other[-3].bits)


def test_a_file_has_the_bits_of_its_score(model, music, tmp_path):
    write_midi(music, tmp_path / "piece.mid")
    expected = score(model, music, levels=2)
    assert score(model, tmp_path / "piece.mid", levels=2) == expected
    assert score(model, str(tmp_path / "piece.mid"), levels=2) == expected


def test_no_number_of_levels_takes_every_level(model, music):
    found = score(model, music, levels=None)
    assert (found.levels, found.kind) == (None, "bound")
    estimated = score(model, music, levels=8)
    assert found.bits != estimated.bits
    assert estimated.bits == pytest.approx(found.bits, rel=0.3)


def test_exact_is_the_likelihood_and_no_bound(make_model, music):
    model = make_model("masked")
    found = score(model, music, exact=True)
    assert (found.levels, found.kind) == (None, "exact")
    assert score(model, music, exact=True, order=("pitch", "shift")).bits != found.bits
    # A model that was never trained charges much the same in any order, and the bound is the mean over all of them.
    assert found.bits == pytest.approx(score(model, music, levels=None).bits, rel=0.05)


def test_a_model_with_a_bound_only_has_no_exact_likelihood(model, music):
    with pytest.raises(DiffmidiError, match="has a bound on its likelihood only"):
        score(model, music, exact=True)


def test_an_oracle_pays_for_nothing_but_being_sure(make_model, music, monkeypatch):
    model = make_model("masked")
    monkeypatch.setattr(type(model.process), "denoise", lambda self, z, m, places: 0)
    monkeypatch.setattr(type(model.process), "_nats", lambda self, ids, hidden, m, mask: hidden.float() * math.log(2))
    # Each token costs one bit when its turn comes; the bound has that on average over the orders.
    assert score(model, music, exact=True).bits == pytest.approx(score(model, music, exact=True).tokens)
    found = score(model, music, levels=None)
    assert found.bits == pytest.approx(found.tokens, rel=0.1)


def test_what_the_tokens_change_is_counted(model):
    high = score_of(Notes(np.arange(4) * 480, np.full(4, 480), np.array([60, 62, 64, 127]), np.full(4, 80)))
    found = score(model, high, levels=2)
    assert sum(found.changed.values()) >= 1


TOKENS = {
    "run": ("mmm", {"layout": "run"}),
    "paper": ("mmm", {"layout": "paper"}),
    "remi": ("remi", {}),
    **{kind: ("miditok", {"type": kind}) for kind in ("TSD", "MIDILike", "Structured", "PerTok")},
}


@pytest.mark.parametrize("name", TOKENS)
def test_other_tokens_are_told_apart_by_note_too(name):
    kind, options = TOKENS[name]
    config = resolve(
        None,
        {"process": "gaussian", "length": 64},
        ("tokenizer.layout=aligned", "backbone.size=tiny", "process.steps=20"),
    )
    model = Model(build_process(config, find("tokenizer", kind).build(options)).eval(), length=64)
    found = score(model, toy_scores()["chords"], levels=2)
    assert len(found.by_note) == found.notes > 4
    assert sum(each.bits for each in found.by_note) + found.other == pytest.approx(found.bits)
    assert sum(1 / each.together for each in found.by_note) == pytest.approx(len({each.bits for each in found.by_note}))


def test_it_is_plain_json(model, music):
    said = score(model, music, levels=2).to_json()
    back = json.loads(json.dumps(said, allow_nan=False))
    assert back["by_note"][0].keys() == {"pitch", "onset", "bits", "together"}
    assert back["per_note"] == pytest.approx(back["bits"] / 50)


def test_music_without_a_token_and_files_that_are_none_are_said(model, tmp_path):
    with pytest.raises(DiffmidiError, match="the score holds nothing that this model has tokens for"):
        score(model, toy_scores()["silence"])
    with pytest.raises(RefusedError, match=r"nowhere\.mid does not exist"):
        score(model, tmp_path / "nowhere.mid")


def test_a_note_longer_than_a_window_is_said(make_model, music):
    model = make_model()
    small = Model(model.process, length=3)
    with pytest.raises(DiffmidiError, match="a note of the piece takes more tokens than the model's windows hold"):
        score(small, music)


@pytest.mark.parametrize(("levels", "taken", "known"), [(1, 1, False), (2, 2, True), (6, 8, True), (16, 16, True)])
def test_four_estimates_share_the_levels(model, music, levels, taken, known):
    found = score(model, music, levels=levels)
    assert found.levels == taken
    assert (found.error is not None) == known


def test_the_error_is_how_far_another_draw_may_be(model, music, monkeypatch):
    found = []
    for seed in range(6):
        monkeypatch.setattr("diffmidi_core.judge.score.SEED", seed)
        found.append(score(model, music, levels=4))
    spread = np.std([each.bits for each in found], ddof=1)
    told = math.sqrt(np.mean([each.error**2 for each in found]))
    # The levels of the estimates are spread evenly, so that what is told is rather too much.
    assert 0.5 * spread < told < 8 * spread


def test_what_is_exact_has_no_error_and_one_estimate_tells_none(make_model, music):
    assert score(make_model("autoregressive"), music).error == 0
    assert score(make_model("masked"), music, levels=None).error is None
