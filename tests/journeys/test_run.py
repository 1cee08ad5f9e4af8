"""From a folder of MIDI to music, figures and pictures."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from diffmidi import read_midi
from diffmidi.api.tokenizer import notes_of

from .conftest import ALIGNED, NORMAL, QUIET, TINY, TRAINED

SELDOM = ("-o", "train.evaluate_every=150", "-o", "train.save_every=150")
"""Of a longer training no more than is needed."""


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


NEXT = {
    "prepare": "To train on it: diffmidi train parts",
    "train": "To draw music from it: diffmidi sample parts",
    "sample": "To see and hear them on the run's page: diffmidi report parts",
}
"""What a stage's last line tells the user to do."""


def tensors(run):
    (newest,) = sorted(Path(run, "checkpoints").iterdir())[-1:]
    return (newest / "model.safetensors").read_bytes(), (newest / "ema.safetensors").read_bytes()


def figures(run):
    """What was found, of its checkpoint and of its draw."""
    (judged,) = Path(run, "figures").iterdir()
    draw = json.loads(Path(run, "draws/1/figures.json").read_text())
    return judged.name, json.loads(judged.read_text()), draw["figures"], draw["pieces"]


def test_one_command_leaves_music_figures_and_pictures(diffmidi, music):
    enough = ("--iterations", "50", "--lr", "3e-3", "--steps", "20", *SELDOM)
    said = diffmidi("run", "--data", music, "--out", "mine", *TINY, *enough)
    assert said.code == 0, said.err
    for name in ("config.json", "run.json", "metrics.jsonl", "data/tokens.arrow", "report.html"):
        assert Path("mine", name).is_file()
    for number in (1, 2):
        stem = f"mine/draws/1/{number:03d}"
        assert Path(f"{stem}.roll.png").read_bytes().startswith(b"\x89PNG")
        assert Path(f"{stem}.wave.png").read_bytes().startswith(b"\x89PNG")
        assert len(notes_of(read_midi(Path(f"{stem}.mid")))) > 0
        with wave.open(f"{stem}.wav") as sound:
            samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
        assert abs(samples.astype(int)).max() > 1000
    (judged,) = Path("mine/figures").iterdir()
    figures = json.loads(judged.read_text())["figures"]
    assert figures["bound_bpw"]["value"] > figures["rounding_bpw"]["value"] > 0
    assert figures["bits_per_note"]["value"] == pytest.approx(4 * figures["bound_bpw"]["value"])
    assert json.loads(Path("mine/draws/1/figures.json").read_text())["figures"]["pitch_range"]["count"] == 2
    for shown in ("bound_bpw", "bits per token, at most", "bits per token on held-out music", "report.html"):
        assert shown in said.err
    assert "To draw more: diffmidi sample mine" in said.out


def test_the_log_has_a_line_for_every_look(mine):
    log = lines("mine/metrics.jsonl")
    assert [line["step"] for line in log if "loss" in line] == [2, 4, 6]
    assert [line["step"] for line in log if "heldout/bound_bpw" in line] == [0, 3, 6]
    facts = json.loads(Path("mine/run.json").read_text())
    assert facts["precision"] == "fp32"
    assert facts["processes"] == 1
    assert facts["parameters"] > 0


def test_the_stages_one_by_one_make_the_same_run(diffmidi, music):
    diffmidi("run", "--data", music, "--out", "whole", *TINY, "--no-hook", "report")
    for stage in (
        ("prepare", music, "--out", "parts", *ALIGNED),
        ("train", "parts", *TRAINED, *NORMAL),
        ("sample", "parts", "--steps", "3", "--samples", "2", "--render", "none"),
        ("evaluate", "parts", "-o", "evaluate.windows=6", "-o", "evaluate.levels=2"),
        ("render", "parts"),
    ):
        said = diffmidi(*stage)
        assert said.code == 0, said.err
        assert NEXT.get(stage[0], "") in said.out
    assert tensors("whole") == tensors("parts")
    assert figures("whole") == figures("parts")
    paths = {path.name: path for path in Path("whole/draws/1").iterdir()}
    assert {"001.mid", "002.wav", "record.jsonl"} < paths.keys()
    for name in paths.keys() - {"request.json", "figures.json"}:  # they say when, and in which folder
        assert Path("parts/draws/1", name).read_bytes() == paths[name].read_bytes(), name
    asked = [json.loads(Path(run, "draws/1/request.json").read_text()) for run in ("whole", "parts")]
    assert asked[0]["request"] == asked[1]["request"]
    assert asked[0]["model"]["fingerprint"] == asked[1]["model"]["fingerprint"]


def test_a_saved_config_repeats_the_run(diffmidi, music):
    diffmidi("run", "--data", music, "--out", "one", *TINY, *QUIET)
    assert diffmidi("run", "--config", "one/config.json", "--out", "two").code == 0
    assert tensors("one") == tensors("two")
    assert Path("one/config.json").read_text() == Path("two/config.json").read_text()


def test_runs_without_a_name_get_the_next_number(diffmidi, music):
    for _ in range(2):
        assert diffmidi("prepare", music).code == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["mmm-modern-1", "mmm-modern-2"]


def test_training_lowers_the_bound_on_music_it_has_not_seen(diffmidi, music):
    assert diffmidi("prepare", music, "--out", "mine", *ALIGNED).code == 0
    longer = ("--iterations", "150", "--lr", "3e-3", *SELDOM)
    said = diffmidi("train", "mine", *TRAINED, *NORMAL, *longer)
    assert said.code == 0, said.err
    before, after = (line["heldout/bound_bpw"] for line in lines("mine/metrics.jsonl") if "heldout/bound_bpw" in line)
    assert after < 0.8 * before


def test_another_seed_gives_more_music_beside_what_is_there(diffmidi, mine):
    first = Path("mine/draws/1/001.mid").read_bytes()
    assert diffmidi("sample", "mine", "--seed", "5").code == 0
    assert Path("mine/draws/1/001.mid").read_bytes() == first
    assert Path("mine/draws/2/001.mid").is_file()
    assert Path("mine/draws/2/001.mid").read_bytes() != first


@pytest.mark.parametrize("layout", ["run", "paper"])
def test_other_layouts_run_too(diffmidi, music, layout):
    said = diffmidi("run", "--data", music, "--out", "mine", *TINY, *QUIET, "-o", f"tokenizer.layout={layout}")
    assert said.code == 0, said.err
    assert Path("mine/draws/1/001.mid").is_file()


@pytest.mark.parametrize(("schedule", "sampler"), [("linear", "ddim"), ("cosine", "ddpm")])
def test_schedules_and_samplers_go_together(diffmidi, music, schedule, sampler):
    parts = ("--schedule", schedule, "--sampler", sampler)
    said = diffmidi("run", "--data", music, "--out", "mine", *TINY, *QUIET, *parts)
    assert said.code == 0, said.err
