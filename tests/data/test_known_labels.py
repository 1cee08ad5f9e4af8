"""What can be asked of a model, and how it is asked."""

import pytest

from diffmidi.api import UsageError
from diffmidi_core.data.known_labels import KnownLabel, asked_of, wanted
from diffmidi_core.music.key import KEYS

KEY = KnownLabel(name="key", values=(*KEYS, "none"), counts=(1,) * 24 + (0,))
LEVELS = ("very low", "low", "medium", "high", "very high")
DENSITY = KnownLabel(name="density", values=LEVELS, counts=(5, 5, 5, 5, 0), edges=(1, 2, 3, 4))
KNOWN = (KEY, DENSITY)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        *[("Dminor", "D minor"), ("d-minor", "D minor"), ("A#major", "Bb major"), ("bb minor", "Bb minor")],
        *[("Abminor", "G# minor"), ("Db_minor", "C# minor"), ("bMinor", "B minor"), ("Cb major", "B major")],
    ],
)
def test_a_key_may_be_spelled_in_any_way(asked, meant):
    assert wanted({"Key": asked}, KNOWN) == {"key": meant}


@pytest.mark.parametrize(
    ("given", "known", "message"),
    [
        ({"key": "D minor"}, (), "was trained without labels, .* --condition window"),
        ({"mood": "sad"}, KNOWN, "no label 'mood'. It has: key, density"),
        ({"density": "huge"}, KNOWN, "no such value. Its values are very low, low"),
        ({"density": "very-high"}, KNOWN, "none of the 20 training windows .* Seen were very low"),
        ({"key": "none"}, KNOWN, "has not learned it"),
        ({"key": "D minor", "KEY": "C major"}, KNOWN, "asked for twice"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(given, known, message):
    with pytest.raises(UsageError, match=message):
        wanted(given, known)


def test_each_goes_through_the_values_that_training_saw():
    want = wanted({"density": "each", "key": "Each"}, KNOWN)
    asked = [asked_of(want, KNOWN, piece) for piece in range(24 * 4 + 1)]
    assert [each["key"] for each in asked[:24]] == list(KEYS)
    assert {each["density"] for each in asked[:24]} == {"very low"}
    assert {(each["key"], each["density"]) for each in asked} == {(key, level) for key in KEYS for level in LEVELS[:4]}
    assert asked[-1] == asked[0]


def test_a_quantity_falls_into_the_bin_between_its_edges():
    assert [DENSITY.bin_of(value) for value in (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5)] == [1, 2, 2, 3, 3, 3, 4, 4, 5]
    assert DENSITY.bin_of(float("nan")) == 0
    alike = DENSITY.model_copy(update={"edges": (7, 7, 7, 7)})
    assert [alike.bin_of(value) for value in (6, 7, 8)] == [1, 3, 5]
    lower = DENSITY.model_copy(update={"edges": (7, 7, 8, 9)})
    assert [lower.bin_of(value) for value in (6, 7, 8, 8.5)] == [1, 3, 3, 4]


def test_bins_and_counts_fit_the_values():
    with pytest.raises(ValueError, match="every value has a count"):
        KnownLabel(name="a", values=("b",), counts=())
    with pytest.raises(ValueError, match="edges rise"):
        KnownLabel(name="a", values=("b", "c", "d"), counts=(1, 1, 1), edges=(2, 1))
