"""What a tokenizer loses, measured on scores whose loss is known."""

import numpy as np
import pytest
from symusic.core import TempoTick

from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.data.roundtrip import Loss
from diffmidi_core.registry import find


def score(onset, duration=200, pitch=None, velocity=80, tempo=120.0):
    count = len(onset)
    pitch = 60 + np.arange(count) % 12 if pitch is None else pitch
    columns = [np.broadcast_to(each, count).astype(np.int64) for each in (onset, duration, pitch, velocity)]
    return score_of(Notes(*columns), tempo=tempo)


def summary(one, back):
    loss = Loss()
    loss.add(one, back)
    return loss.summary()


def test_nothing_is_lost_where_nothing_was_changed():
    one = score(np.arange(40) * 240)
    said = summary(one, one)
    assert (said["pieces"], said["notes"], said["lost"]) == (1, 40, 0)
    for name in ("onset_ms", "duration_ms", "velocity"):
        assert said[name] == {"mean": 0.0, "p99": 0.0}


def test_a_piece_that_begins_later_is_the_same():
    assert summary(score(np.arange(40) * 240 + 77), score(np.arange(40) * 240))["onset_ms"]["mean"] == pytest.approx(
        0, abs=1e-9
    )


@pytest.mark.parametrize("tempo", [60.0, 120.0])
def test_errors_are_in_the_time_that_is_heard(tempo):
    onset = np.arange(40) * 240
    moved = onset + 48 * (np.arange(40) % 4 == 0)  # a tenth of a quarter, every fourth note
    said = summary(score(onset, tempo=tempo), score(moved, duration=248, velocity=84))
    assert said["onset_ms"]["mean"] == pytest.approx(0.25 * 0.1 * 60_000 / tempo, rel=0.01)
    assert said["onset_ms"]["p99"] == pytest.approx(0.1 * 60_000 / tempo, rel=0.03)
    assert said["duration_ms"]["mean"] == pytest.approx(0.1 * 60_000 / tempo, rel=0.01)
    assert said["velocity"]["mean"] == 4.0


@pytest.mark.parametrize("grid", [24, "10ms"])
def test_words_of_seconds_and_of_beats_are_compared_by_their_own_clock(grid):
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned", "grid": grid})
    one = score(np.arange(200) * 240, tempo=87.0)
    one.tempos.append(TempoTick(240 * 77, qpm=140.0))
    said = summary(one, tokenizer.decode(tokenizer.encode(one)))
    assert said["lost"] == 0
    assert said["onset_ms"]["mean"] < 6
    assert said["onset_ms"]["p99"] < 20
    assert said["duration_ms"]["mean"] < 10


def test_notes_without_a_counterpart_are_lost_and_cost_the_others_nothing():
    onset = np.arange(40) * 240
    one = score(onset)
    kept = np.delete(np.arange(40), [13, 30])
    said = summary(one, score(onset[kept], pitch=60 + kept % 12))
    assert said["lost"] == 2
    assert said["onset_ms"]["mean"] == 0.0


def test_a_shortened_rest_is_no_error_of_what_follows():
    onset = np.arange(40) * 240
    assert summary(score(onset + 9600 * (onset > 4000)), score(onset + 1920 * (onset > 4000)))["onset_ms"]["mean"] == 0


def test_losses_of_parts_add_up():
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    rng = np.random.default_rng(0)
    scores = [score(np.sort(rng.integers(0, 20_000, 60)), velocity=rng.integers(1, 128, 60)) for _ in range(4)]
    whole, merged = Loss(), Loss()
    for each in scores:
        part = Loss()
        for loss in (part, whole):
            loss.add(each, tokenizer.decode(tokenizer.encode(each)))
        merged.merge(vars(part))
    assert merged.summary() == whole.summary()
    # Half a step of a twelfth of a quarter, at 120 quarters a minute.
    assert 0 < whole.summary()["onset_ms"]["p99"] < 1.03 * 500 / 24 * 2
