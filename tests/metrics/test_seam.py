"""seam: joins that cannot be told, and joins that stand out."""

import numpy as np
import pytest

from diffmidi.api.metric import Sample
from diffmidi_core.music.toy import from_rows

NOTES = 96
SEAMS = (32, 64)
TUNE = (60, 62, 64, 65, 67, 69, 71, 72)


@pytest.fixture
def joined(tokenizer):
    """96 notes, a quarter apart unless said otherwise, with joins after some of them."""

    def make(pitch, onset=None, seams=SEAMS):
        onset = np.arange(len(pitch)) if onset is None else onset
        score = from_rows([(at, 1, each, 80) for at, each in zip(onset, pitch, strict=True)])
        record = {"seed": 0} | {f"seam_{i}": 4 * notes for i, notes in enumerate(seams, start=1)}
        return Sample(tokenizer.encode(score), score, tokenizer, record=record)

    return make


def repeated(*, up=0, after=SEAMS):
    """The tune over and over, higher by `up` semitones after each of some notes."""
    return [TUNE[i % 8] + up * sum(i >= each for each in after) for i in range(NOTES)]


def values(figures):
    return {name: figure.value for name, figure in figures.items()}


def test_music_that_goes_on_has_no_seam_to_be_told(figure, joined):
    assert values(figure("seam", [joined(repeated())])) == dict.fromkeys(
        ("all", "register", "harmony", "density", "lengths", "leap"), 0.5
    )


def test_a_change_of_key_and_register_at_the_seams_stands_out(figure, joined):
    found = values(figure("seam", [joined(repeated(up=13))]))
    assert found == {"all": 1, "register": 1, "harmony": 1, "density": 0.5, "lengths": 0.5, "leap": 1}


def test_a_change_elsewhere_makes_seams_the_calmer_places(figure, joined):
    found = values(figure("seam", [joined(repeated(up=13, after=(48,)))]))
    assert found["register"] == pytest.approx(0.5 * (1 - _heard() / _elsewhere()))


def _elsewhere():
    return sum(min(abs(place - seam) for seam in SEAMS) >= 8 for place in range(8, NOTES - 7))


def _heard():
    return sum(min(abs(place - seam) for seam in SEAMS) >= 8 and abs(place - 48) < 8 for place in range(8, NOTES - 7))


def test_a_change_of_pace_is_one_of_density(figure, joined):
    onset = np.concatenate([np.arange(32), 32 + 4 * np.arange(64)])
    found = values(figure("seam", [joined(repeated(), onset, seams=(32,))]))
    assert found["density"] == 1
    assert found["register"] == found["harmony"] == 0.5


def test_every_seam_counts_the_same(figure, joined):
    samples = [joined(repeated(up=13)), joined(repeated(), seams=(48,))]
    assert figure("seam", samples)["register"].value == pytest.approx((2 * 1 + 0.5) / 3)


def test_pieces_without_seams_are_skipped_and_held_out_music_is_cut_in_its_middle(figure, joined):
    alone = joined(repeated(), seams=())
    assert figure("seam", [alone]) is None
    held = Sample(alone.ids, joined(repeated(up=13, after=(48,))).score, alone.tokenizer)
    found = figure("seam", [joined(repeated()), alone], [held])["register"]
    assert (found.value, found.count, found.skipped, found.reference) == (0.5, 1, 1, 1.0)


def test_too_little_music_says_nothing(figure, joined):
    assert figure("seam", [joined([60] * 12, seams=(6,))]) is None
    assert figure("seam", [joined([], seams=())]) is None
    assert figure("seam", [joined([60] * 17, seams=(8,))]) is None  # no place is far from the seam
