"""Pitches: values known by hand."""

import math

import pytest

from diffmidi.api.metric import FEWEST


def line(*pitches, length=1.0):
    return [(float(i), length, pitch) for i, pitch in enumerate(pitches)]


@pytest.mark.parametrize(
    ("name", "rows", "value"),
    [
        ("pitch_class_entropy", line(60, 72, 48), 0.0),
        ("pitch_class_entropy", line(60, 61, 74, 75), 2.0),
        ("pitch_class_entropy", line(60, 60, 60, 67), -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))),
        ("pitch_class_entropy", line(*range(60, 84)), math.log2(12)),
        ("pitch_range", line(60), 0),
        ("pitch_range", line(60, 40, 71), 31),
        ("scale_consistency", line(60, 62, 64, 65, 67, 69, 71), 1.0),  # C major
        ("scale_consistency", line(57, 59, 60, 62, 64, 65, 67), 1.0),  # A minor is the same set
        ("scale_consistency", line(61, 63, 65, 66, 68, 70, 72, 60), 1.0),  # D flat major
        ("scale_consistency", line(*range(60, 72)), 7 / 12),
        ("scale_consistency", line(60, 61, 62), 2 / 3),
        ("polyphony", line(60, 62), 1.0),
        ("polyphony", [(0, 4, 60), (0, 2, 64), (0, 1, 67)], (3 + 2 + 1 + 1) / 4),
        ("polyphony", [(0, 1, 60), (9, 1, 60), (9, 1, 64)], 1.5),  # silence does not count
        ("polyphony", [(0, 2, 60), (1, 2, 60), (0, 3, 64)], 2.0),  # the same pitch twice is one
        ("polyphony", [(0, 8, 60), (1, 1, 60), (4, 1, 60)], 1.0),
        ("polyphony_rate", line(60, 62), 0.0),  # what ends where the next begins does not overlap
        ("polyphony_rate", [(0, 4, 60), (1, 1, 64)], 0.25),  # two are enough
        ("polyphony_rate", [(4, 1, 60), (6, 2, 60), (6, 1, 64)], 0.25),  # rests inside count, a lead-in does not
    ],
)
def test_a_value_known_by_hand(figure, sample, name, rows, value):
    assert figure(name, [sample(rows)]).value == pytest.approx(value)


def test_transposing_changes_only_what_it_should(figure, sample):
    rows = [(0, 1, 60), (1, 2, 64), (2, 1, 66), (4, 1, 61)]
    up = [(onset, length, pitch + 5) for onset, length, pitch in rows]
    for name in ("pitch_class_entropy", "pitch_range", "scale_consistency", "polyphony", "polyphony_rate"):
        assert figure(name, [sample(rows)]).value == pytest.approx(figure(name, [sample(up)]).value)


def test_the_mean_over_samples_its_error_and_what_was_skipped(figure, sample):
    found = figure("pitch_range", [sample(line(60, 64)), sample([]), sample(line(60, 72))])
    assert (found.value, found.count, found.skipped, found.of) == (8.0, 2, 1, "samples")
    assert found.error == pytest.approx(4 / math.sqrt(1) * math.sqrt(2) / math.sqrt(2))  # s = 4√2, over √2
    assert found.interval is None, "two samples say little of the spread"
    assert found.reference is None


def test_held_out_music_stands_beside_it(figure, sample):
    found = figure("pitch_range", [sample(line(60, 64))], [sample(line(60, 67)), sample([]), sample(line(60, 69))])
    assert (found.value, found.reference, found.reference_interval) == (4.0, 8.0, None)
    assert found.interval is None, "one sample says nothing of the spread"
    many = [sample(line(60, 64 + step)) for step in range(FEWEST)]
    found = figure("pitch_range", many, many)
    assert found.interval == found.reference_interval
    assert 4 < found.interval[0] < found.value < found.interval[1] < 11
    assert figure("pitch_range", many[1:]).interval is None


def test_only_empty_samples_give_no_figure(figure, sample):
    assert figure("polyphony", [sample([])], [sample(line(60))]) is None
    assert figure("polyphony", [sample(line(60))], [sample([])]).reference is None
