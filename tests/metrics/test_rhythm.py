"""Rhythm: values known by hand."""

import pytest


def at(*onsets, length=0.25, pitch=60):
    return [(onset, length, pitch) for onset in onsets]


@pytest.mark.parametrize(
    ("name", "rows", "value"),
    [
        ("groove_consistency", at(0, 1, 2, 3, 4, 5, 6, 7), 1.0),
        ("groove_consistency", at(0, 4.5), 1 - 2 / 16),
        ("groove_consistency", at(0, 1, 4, 5.5), 1 - 2 / 16),
        ("groove_consistency", at(0, 4, 9), 1 - (0 + 2) / 32),
        ("groove_consistency", at(0, 16), 1 - (1 + 0 + 0 + 1) / 64),  # empty bars between are alike
        ("groove_consistency", at(0.5, 4.5), 1.0),  # bars are counted from the first onset
        ("groove_consistency", at(0, 0, 4), 1.0),  # two notes at once are one onset
        ("groove_consistency", [*(at(*(i / 4 for i in range(16)))), *at(4)], 1 - 15 / 16),
        ("empty_beat_rate", at(0, 1, 2, length=1), 0.0),
        ("empty_beat_rate", at(0, 2, length=1), 1 / 3),  # what ends on a beat does not fill the next
        ("empty_beat_rate", [(0, 2.5, 60), (1, 0.5, 64), (7, 1, 60)], 4 / 8),
        ("empty_beat_rate", [(0, 8, 60), (1, 1, 64)], 0.0),
        ("empty_beat_rate", at(3, 5, length=0.25), 1 / 3),  # from the first onset on
        ("note_density", at(0, 1, 2, 3, length=1), 1.0),
        ("note_density", at(0, 0, 1, 1, length=1), 2.0),
        ("note_density", [(2, 4, 60), (3, 1, 64)], 0.5),
    ],
)
def test_a_value_known_by_hand(figure, sample, name, rows, value):
    assert figure(name, [sample(rows)]).value == pytest.approx(value)


def test_groove_does_not_depend_on_the_resolution(figure, sample):
    one = sample(at(0, 0.75, 2, 4, 5.25, 6))
    fine = one.score.resample(96, 0)
    other = type(one)(one.ids, fine, one.tokenizer)
    assert fine.ticks_per_quarter != one.score.ticks_per_quarter
    assert figure("groove_consistency", [one]).value == figure("groove_consistency", [other]).value


@pytest.mark.parametrize("name", ["groove_consistency", "empty_beat_rate", "note_density"])
def test_music_too_short_is_skipped(figure, sample, name):
    assert figure(name, [sample([])]) is None
    assert figure("groove_consistency", [sample(at(0, 1, 2))]) is None


def test_hours_of_rest_take_no_memory(figure, sample):
    rows = at(0, 1_000_000, length=1)
    assert figure("empty_beat_rate", [sample(rows)]).value == pytest.approx(1 - 2 / 1_000_001)
    assert figure("groove_consistency", [sample(rows)]).value > 0.999


def test_note_lengths_are_the_nearest_note_values(figure, sample):
    rows = [(i, length, 60 + i) for i, length in enumerate([0.25, 0.2, 0.5, 1, 1, 1.3, 3, 20])]
    found = figure("note_lengths", [sample(rows), sample([])], [sample([(0, 2, 60), (2, 1, 60)])])
    assert {name: each.value for name, each in found.items()} == {
        "1/16": 25.0,
        "1/8": 12.5,
        "1/4": 37.5,
        "1/2": 0.0,  # held-out music has some
        "1/1": 12.5,
        "longer": 12.5,
    }
    assert found["1/2"].reference == 50.0
    assert (found["1/4"].count, found["1/4"].skipped, found["1/4"].unit) == (1, 1, "% of notes")


def test_inter_onsets_are_between_different_onsets(figure, sample):
    chords = [(onset, 1, pitch) for onset in (0, 0.5, 1, 2) for pitch in (60, 64, 67)]
    found = figure("inter_onsets", [sample(chords)])
    assert {name: each.value for name, each in found.items()} == pytest.approx({"1/8": 200 / 3, "1/4": 100 / 3})
    assert figure("inter_onsets", [sample(at(0))]) is None
