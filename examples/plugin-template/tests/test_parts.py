"""What is special about these parts."""

import numpy as np
import pytest
import torch

from diffmidi.api.metric import Sample
from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.registry import find


@pytest.mark.parametrize("steepness", [1.0, 6.0, 30.0])
def test_half_the_signal_is_left_half_way(steepness):
    schedule = find("schedule", "sigmoid").build({"steepness": steepness})
    assert float(schedule.alpha_bar(torch.tensor(0.5, dtype=torch.float64))) == pytest.approx(0.5)


def test_a_steeper_one_keeps_more_before_and_less_after():
    gentle, steep = (find("schedule", "sigmoid").build({"steepness": k}) for k in (2.0, 12.0))
    t = torch.tensor([0.25, 0.75], dtype=torch.float64)
    assert (steep.alpha_bar(t) - gentle.alpha_bar(t)).sign().tolist() == [1, -1]


def test_leap_is_the_mean_over_samples_with_notes():
    leap = find("metric", "leap").build()

    def row(*pitch):
        at = np.arange(len(pitch))
        notes = Notes(at * 480, np.full_like(at, 480), np.array(pitch), np.full_like(at, 64))
        return leap.measure(Sample.of_music(score_of(notes)))

    figure = leap.summarise([row(60, 72), row(60), row(60, 84, 60)], [row(60, 67)])
    assert (figure.value, figure.count, figure.error) == (18, 2, pytest.approx(6))
    assert (figure.skipped, figure.reference) == (1, 7)


def test_csv_has_one_line_a_figure(tmp_path):
    listener = find("hook", "csv").build({"name": "log.csv"})
    listener.run_started(tmp_path)
    listener.scalars(3, {"loss": 0.5, "lr": 1e-4})
    assert (tmp_path / "log.csv").read_text() == "3,loss,0.5\n3,lr,0.0001\n"


def test_small_leaps_are_free_and_large_ones_cost_their_share():
    control = find("control", "small_leaps").build({"most": 7})

    def piece(*pitch):
        at = np.arange(len(pitch))
        return score_of(Notes(at * 480, np.full_like(at, 480), np.array(pitch), np.full_like(at, 64)))

    assert control.score([piece(60, 67, 60), piece(60, 68, 69), piece(60)]) == [0, 0.5, 0]
