"""Which tracks are the piano's."""

import pytest
from symusic.core import NoteTick, TrackTick

from diffmidi_core.errors import RefusedError
from diffmidi_core.music.toy import from_rows
from diffmidi_core.music.tracks import TrackChoice


def band(*tracks):
    """Tracks of (name, program, notes), and 5 notes of drums."""
    score = from_rows([])
    score.tracks.clear()
    for name, program, count in (*tracks, ("Drums", 0, 5)):
        track = TrackTick(name, program, name == "Drums")
        for at in range(count):
            track.notes.append(NoteTick(480 * at, 240, 60, 80))
        score.tracks.append(track)
    return score


BAND = (("melody", 73, 3), ("", 0, 4), ("Klavier links", 48, 2), ("Rhodes", 4, 1), ("bass", 33, 6), ("empty", 40, 0))


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("piano", ["", "Klavier links", "Rhodes"]),
        ("all", ["melody", "", "Klavier links", "Rhodes", "bass", "empty"]),
        ("73", ["melody"]),
        ("32-39, 73", ["melody", "bass"]),
        ("*links*", ["Klavier links"]),
        ("MELODY,bass", ["melody", "bass"]),
        ("piano,bass", ["", "Klavier links", "Rhodes", "bass"]),
    ],
)
def test_tracks_are_chosen_by_program_and_name(said, taken):
    choice = TrackChoice.parse(said)
    assert [track.name for track in band(*BAND).tracks if not track.is_drum and choice.takes(track)] == taken


def test_others_go_and_are_counted_and_drums_stay_for_the_tokenizer_to_count():
    score = band(*BAND)
    left, counts = TrackChoice.parse("piano").of(score, "a.mid")
    assert counts == {"other_notes": 9, "with_others": 1}
    assert [track.name for track in left.tracks if len(track.notes)] == ["", "Klavier links", "Rhodes", "Drums"]
    assert len(score.tracks) == 7, "the score itself is left alone"
    assert TrackChoice.parse("all").of(score, "a.mid") == (score, {})


def test_a_piece_without_any_of_them_is_refused_by_what_it_has():
    with pytest.raises(RefusedError) as refused:
        TrackChoice.parse("piano").of(band(*[(f"voice {i}\n", 52 + i, 1000) for i in range(5)]), "a.mid")
    assert refused.value.reason == "no_piano"
    assert str(refused.value) == (
        "a.mid has no track that is asked for, only 'voice 0' of program 52 (1,000 notes), 'voice 1' of program 53 "
        "(1,000 notes), 'voice 2' of program 54 (1,000 notes) and 2 more: choose with --tracks which are the "
        "piano's; `--tracks all` takes every one."
    )


@pytest.mark.parametrize("said", ["", "128", "9-3", "1-200", "piano,,24", " , "])
def test_what_is_no_choice_is_told(said):
    with pytest.raises(ValueError, match="tracks are piano, all"):
        TrackChoice.parse(said)
