"""The first section: what was run, on what, and how its training went on."""

import json

import pytest

from .sections import facts, html, segment, text


def test_the_overview_says_what_was_run_on_what(finished):
    said = text(html(finished)["Overview"])
    for part in (
        "2.5 bits per token, at most, on test music, at iteration 400",
        *("3.55 M parameters", "104 k notes in 409 pieces", "1,000 iterations"),
        "9.9 times through the music, transposed by up to 5 semitones",
        *("22 of them held out, 41 kept for the test", "414,060 tokens"),
        "masked diffusion on modern, loglinear schedule, mmm tokens in windows of 1,024",
        *("1 × cpu in fp32, 812 MB at most", "torch 2.13.0", "learning rate 0.002, seed 0"),
        *("1 option set otherwise than by default", "train.lr=0.002", "Preset best Training"),
    ):
        assert part in said


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ([segment(0, 400)], None),
        ([segment(0, 200), segment(200, 300), segment(300, 400)], "Trained to 400 (stopped and resumed 2 times)."),
        (
            [segment(0, 400), segment(400, 800, train__iterations=[400, 800], train__patience=[0, 3])],
            "then on to 800 with train.iterations 800 instead of 400 and train.patience 3 instead of 0.",
        ),
        (
            [segment(0, 400), segment(400, 800, device="cuda"), segment(800, 900, device="cuda")],
            "Trained to 400, then on to 900 on cuda (stopped and resumed once).",
        ),
        (
            [segment(0, 1), segment(1, 2, hooks=[[{"name": "console"}], [{"name": "console"}, {"name": "track"}]])],
            "then on to 2 with hooks console, track instead of console.",
        ),
        ([segment(0, 1), segment(1, 2, prepare__labels=["/home/me/a.csv", None])], "labels none instead of a.csv."),
    ],
)
def test_the_overview_tells_how_training_went_on(finished, segments, said):
    facts(finished, segments=segments)
    told = text(html(finished)["Overview"])
    if said is None:
        assert "Trained to" not in told
    else:
        assert said in told


def test_the_overview_names_the_run_that_it_began_from(finished):
    facts(finished, began={"run": "/home/me/runs/base", "step": 1200, "iterations": 2400, "weights": "abc"})
    said = text(html(finished)["Overview"])
    assert "Began from the weights of base at iteration 1,200, when they had been trained for 2,400 iterations." in said
    assert "/home" not in said


@pytest.mark.parametrize(
    ("epochs", "said"), [(0.04, "0.04 times"), (9.89, "9.9 times"), (345.2, "345 times"), (12345.6, "12,346 times")]
)
def test_the_overview_says_how_often_music_was_heard(finished, epochs, said):
    facts(finished, epochs=epochs, transpose=0)
    assert f"1,000 iterations, {said} through the music, not transposed" in text(html(finished)["Overview"])


def test_the_overview_says_where_a_run_departs_from_its_preset(finished):
    file = finished / "config.json"
    config = json.loads(file.read_text())
    config["process"]["options"]["typed"] = False
    file.write_text(json.dumps(config))
    assert "Preset best, but for process.typed" in text(html(finished)["Overview"])
    config["preset"] = None
    file.write_text(json.dumps(config))
    assert "Preset" not in text(html(finished)["Overview"])
