"""Labels: what is measured is exact on music made by hand, and what is summarised adds up."""

from __future__ import annotations

import numpy as np
import pytest
from symusic.core import TempoTick

from diffmidi.api.tokenizer import Notes, notes_of, score_of
from diffmidi_core.data.labels import LabelSummary, folder_label
from diffmidi_core.data.labels import measured as measured_of
from diffmidi_core.music.key import KEYS, key_of
from diffmidi_core.music.notes import Score
from diffmidi_core.music.toy import toy_scores

MAJOR_SCALE, HARMONIC_MINOR = [0, 2, 4, 5, 7, 9, 11, 12], [0, 2, 3, 5, 7, 8, 11, 12]


def score(*notes: tuple[int, int, int], tempo: float = 120.0) -> Score:
    """A score of (onset, duration, pitch) in quarter notes."""
    onset, duration, pitch = np.array(notes, dtype=np.int64).T
    return score_of(Notes(onset * 480, duration * 480, pitch, np.full_like(pitch, 80)), tempo=tempo)


def measured(score):
    return measured_of(score, notes_of(score))


def test_density_is_notes_per_second_between_the_first_onset_and_the_last_end():
    assert measured(score((4, 1, 60), (5, 1, 62), (6, 2, 64)))["density"] == 1.5  # 3 notes in 4 beats, 2 seconds
    assert measured(score((4, 1, 60), (5, 1, 62), (6, 2, 64), tempo=60))["density"] == 0.75


def test_seconds_follow_the_tempo_map():
    music = score((0, 4, 60), (4, 4, 62), tempo=60)
    music.tempos.append(TempoTick(4 * 480, qpm=240))
    assert measured(music)["density"] == pytest.approx(2 / 5, abs=1e-3)  # 4 beats in 4 seconds, then 4 in one
    music.tempos.append(TempoTick(4 * 480, qpm=120))  # the last of two on one tick holds
    assert measured(music)["density"] == pytest.approx(2 / 6, abs=1e-3)
    music.tempos.append(TempoTick(100 * 480, qpm=10))  # after the music
    assert measured(music)["density"] == pytest.approx(2 / 6, abs=1e-3)
    music.tempos.clear()
    assert measured(music)["density"] == 0.5  # MIDI's own 120


def test_register_is_the_mean_pitch():
    assert measured(score((0, 1, 60), (1, 9, 61), (2, 1, 65)))["register"] == 62


def test_polyphony_counts_only_where_something_sounds():
    assert measured(score((0, 1, 60), (5, 1, 62)))["polyphony"] == 1
    assert measured(score((0, 2, 60), (0, 2, 64), (0, 2, 67)))["polyphony"] == 3
    assert measured(score((0, 4, 60), (1, 1, 64), (2, 1, 67), (8, 2, 60)))["polyphony"] == pytest.approx(
        8 / 6, abs=1e-3
    )


def test_tracks_that_double_each_other_are_one_and_the_longer_note_counts():
    doubled = score((0, 2, 60), (0, 4, 60), (4, 4, 62))
    assert measured(doubled) == measured(score((0, 4, 60), (4, 4, 62)))


def test_notes_without_length_last_a_tick():
    labels = measured(score((0, 0, 60), (0, 0, 64)))
    assert (labels["density"], labels["polyphony"]) == (1920, 2)


@pytest.mark.parametrize(("qpm", "said"), [(40, "slow"), (76, "moderate"), (120, "moderate"), (121, "fast")])
def test_tempo_classes(qpm: float, said: str):
    assert measured(score((0, 4, 60), tempo=qpm))["tempo"] == said


def test_no_notes_no_labels():
    assert measured(score_of(Notes(*np.zeros((4, 0), np.int64)))) == {}


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize(("mode", "scale"), [("major", MAJOR_SCALE), ("minor", HARMONIC_MINOR)])
def test_a_scale_on_each_degree_is_in_its_key(tonic: int, mode: str, scale: list[int]):
    labels = measured(score(*((beat, 1, 60 + tonic + step) for beat, step in enumerate(scale))))
    assert labels["key"] == KEYS[tonic + 12 * (mode == "minor")]
    assert labels["mode"] == mode
    assert labels["key"].endswith(mode)


def test_keys_go_up_by_semitones_and_have_24_names():
    assert len(set(KEYS)) == 24
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11, "#": 1, "b": -1}
    assert [sum(steps[letter] for letter in key.split()[0]) for key in KEYS] == [*range(12)] * 2


def test_how_long_a_note_lasts_decides_the_key_not_how_often_it_comes():
    pitch = np.array([60, 64, 67, 69, 72, 76])
    assert key_of(pitch, np.array([4, 2, 4, 1, 4, 2])) == "C major"
    assert key_of(pitch, np.array([2, 2, 1, 9, 2, 2])) == "A minor"


def test_where_all_pitch_classes_are_alike_there_is_no_key():
    labels = measured(score(*((beat, 1, 60 + beat) for beat in range(12))))
    assert not {"key", "mode"} & set(labels)
    assert "density" in labels


def test_numbers_are_plain_and_the_same_every_time():
    for name in ("tune", "scale", "chords"):
        labels = measured(toy_scores()[name])
        assert labels == measured(toy_scores()[name])
        assert {type(value) for value in labels.values()} == {str, float}


def test_the_first_folder_is_a_label():
    assert folder_label("Bach/wtc/1.mid") == {"folder": "Bach"}
    assert folder_label("1.mid") == folder_label("/1.mid") == {}


def test_a_summary_counts_text_and_bounds_numbers():
    summary = LabelSummary()
    summary.add([{"mode": "major", "density": 2.0}, {"mode": "minor", "density": 0.5}])
    summary.add([{"mode": "major"}])
    assert summary.as_dict() == {
        "density": {"pieces": 2, "min": 0.5, "max": 2.0},
        "mode": {"pieces": 3, "values": {"major": 2, "minor": 1}, "others": 0},
    }


def test_a_summary_names_only_the_commonest_values():
    summary = LabelSummary()
    summary.add({"title": f"no. {number:02}"} for number in range(60))
    summary.add([{"title": "no. 59"}])
    titles = summary.as_dict()["title"]
    assert (titles["pieces"], titles["others"], len(titles["values"])) == (61, 10, 50)
    assert next(iter(titles["values"])) == "no. 59"
