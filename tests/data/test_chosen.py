"""Preparing takes the piano's tracks, and says what became of the others."""

from symusic.core import NoteTick, TrackTick

from diffmidi_core.config import resolve
from diffmidi_core.data.chosen import Chosen
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.hooks import Hooks

from .conftest import Scores, piece_of


def with_flute(seed):
    score = piece_of(seed)
    flute = TrackTick("flute", 73, False)
    for at in range(7):
        flute.notes.append(NoteTick(480 * at, 240, 90, 80))
    score.tracks.append(flute)
    return score


def test_other_instruments_are_left_out_counted_and_said(tokenizer, tmp_path):
    scores = {"a": with_flute(0), "b": piece_of(1), "c": with_flute(2), "d": with_flute(3)}
    scores["d"].tracks = scores["d"].tracks[1:]
    reports = {}
    for tracks in ("piano", "all"):
        hooks = Hooks()
        source = Chosen(Scores(scores), tracks)
        reports[tracks] = (
            prepare(source, tokenizer, tmp_path / tracks, Choices(heldout=0.3), hooks=hooks),
            hooks.warnings,
        )
    piano, said = reports["piano"]
    assert (piano.kept, piano.notes, list(piano.refused)) == (3, 3 * 40, ["no_piano"])
    assert (piano.read["other_notes"], piano.read["with_others"]) == (14, 2)
    assert any(each.startswith("14 notes in 2 of the pieces are other instruments'") for each in said)
    every, said = reports["all"]
    assert (every.kept, every.notes) == (4, 4 * 7 + 3 * 40 - 7)
    assert "other_notes" not in every.read
    assert not any("instruments" in each for each in said)
    assert piano.plan != every.plan, "what was prepared of other tracks must not be gone on with"


def test_the_flag_is_part_of_the_config():
    assert resolve().prepare.tracks == "piano"
    assert resolve(flags={"prepare.tracks": "24-31"}).prepare.tracks == "24-31"
