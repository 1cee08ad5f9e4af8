"""Judging as a person asks for it: a checkpoint and a draw, other music, and files that anybody made."""

import json
import shutil
from pathlib import Path

import pytest

from diffmidi_core.config import default_parts

METRICS = {part.name for part in default_parts("metric")}
FEW = ("-o", "evaluate.windows=6", "-o", "evaluate.levels=2")
RUN = (
    *("--iterations", "6", "--batch-size", "4", "--length", "32", "--precision", "fp32", "--process", "gaussian"),
    *("-o", "tokenizer.layout=aligned"),
    *("-o", "process.steps=20", "-o", "backbone.size=tiny", "-o", "train.save_every=2", "-o", "train.evaluate_every=3"),
    *("-o", "prepare.test=0.3", "--steps", "3", "--samples", "2", "--seed", "5", "--no-renderer", "all"),
)


def read(path):
    return json.loads(Path(path).read_text())


@pytest.fixture(scope="module")
def ready(starter, music, tmp_path_factory):
    """A run that was trained, drawn from and judged."""
    folder = tmp_path_factory.mktemp("judged")
    starter.run("run", "--data", music, "--out", "mine", *RUN, *FEW, folder=folder)
    return folder / "mine"


@pytest.fixture
def run(ready, tmp_path):
    return Path(shutil.copytree(ready, tmp_path / "mine"))


def test_a_checkpoint_and_a_draw_have_figures_of_their_own(diffmidi, run):
    before = {path: path.read_bytes() for path in (run / "config.json", run / "run.json")}
    for path in ("mine/figures/step-000006.json", "mine/draws/1/figures.json"):
        Path(path).unlink()
    said = diffmidi("evaluate", "mine", *FEW)
    assert said.code == 0, said.err
    checkpoint, draw = read("mine/figures/step-000006.json"), read("mine/draws/1/figures.json")
    assert {name.partition("/")[0] for name in (*checkpoint["figures"], *draw["figures"])} == {
        part.name for part in default_parts("metric")
    }
    assert (checkpoint["checkpoint"], checkpoint["split"], checkpoint["windows"]) == (6, "test", 6)
    figures = checkpoint["figures"]
    parts = ("pitch", "velocity", "duration", "shift")
    by_type = sum(figures[f"bits_by_type/{part}"]["value"] for part in parts) / 4
    special = figures["bits_by_type/special"]["value"] * 2 / 32
    assert by_type + special == pytest.approx(figures["bound_bpw"]["value"])
    assert draw["request"]["request"]["seed"] == 5
    assert draw["request"]["model"]["fingerprint"] == checkpoint["weights"]
    assert draw["figures"]["grammar_faults"]["reference"] == 0, "music has no faults"
    assert draw["pieces"]["001"]["grammar_faults"] == {"above": 0, "below": 32}
    assert {path: path.read_bytes() for path in before} == before, "judging changes nothing of the run"


def test_a_draw_of_another_sampler_and_checkpoint_is_another_table(diffmidi, run):
    first = Path("mine/draws/1/figures.json").read_bytes()
    asked = ("--seed", "9", "--samples", "3", "--steps", "2", "--sampler", "ddim", "--checkpoint", "4")
    assert diffmidi("sample", "mine", *asked, "--render", "none").code == 0
    assert diffmidi("evaluate", "mine", "--checkpoint", "6", *FEW).code == 0
    second = read("mine/draws/2/figures.json")
    assert second["figures"]["grammar_faults"]["count"] == 3
    assert second["request"]["model"]["step"] == 4
    assert second["request"]["request"]["sampler"]["name"] == "ddim"
    assert Path("mine/draws/1/figures.json").read_bytes() == first


def test_other_music_is_what_is_measured_and_the_run_stays_what_it_was(diffmidi, run, music, tmp_path):
    for number in range(3):
        (tmp_path / "other").mkdir(exist_ok=True)
        shutil.copy(music / f"piece {number}.mid", tmp_path / "other")
    assert diffmidi("evaluate", "mine", *FEW).code == 0
    own, config = Path("mine/figures/step-000006.json").read_bytes(), Path("mine/config.json").read_bytes()
    said = diffmidi("evaluate", "mine", "--data", "other", *FEW)
    assert said.code == 0, said.err
    other = read("mine/figures/step-000006.other.json")
    assert other["data"]["data"] == str(tmp_path / "other")
    assert other["data_fingerprint"] != json.loads(own)["data_fingerprint"]
    assert other["figures"]["bound_bpw"]["value"] != json.loads(own)["figures"]["bound_bpw"]["value"]
    assert Path("mine/figures/step-000006.json").read_bytes() == own
    assert Path("mine/config.json").read_bytes() == config


def test_any_files_are_judged_beside_a_run_or_a_folder(diffmidi, run, music):
    for against in ("mine", music):
        said = diffmidi("evaluate", "--samples", "mine/draws/1", "--against", against, "--out", "figures.json")
        assert said.code == 0, said.err
        found = read("figures.json")
        assert found["samples"]["read"] == 2
        assert found["figures"]["pitch_range"]["count"] == 2
        assert "bound_bpw" in found["left_out"]


def test_pieces_longer_than_any_other_are_compared_with_nothing(diffmidi, run):
    diffmidi("sample", "mine", "--notes", "150", "--samples", "1", "--steps", "2", "--render", "none")
    said = diffmidi("evaluate", "mine", *FEW)
    assert said.code == 0, said.err
    assert "is as long as those drawn (600 tokens)" in said.err
    figures = read("mine/draws/2/figures.json")["figures"]
    assert figures["grammar_faults"]["reference"] is None
    assert figures["overlap_area"] is None


def test_a_run_judges_the_pieces_of_another_and_any_files(diffmidi, run, music):
    judge = ("--no-metric", "all", "--metric", "judge", "-o", "metric.judge.model=other")
    how = ("--process", "autoregressive", "--iterations", "2", "--batch-size", "4", "--length", "32", "--samples", "1")
    small = ("--tokenizer", "mmm", "-o", "tokenizer.layout=aligned", "-o", "backbone.size=tiny", "--precision", "fp32")
    without = ("--no-metric", "all", "--no-renderer", "all", *FEW)
    said = diffmidi("run", "--data", music, "--out", "other", *how, *small, *without)
    assert said.code == 0, said.err
    for asked in (("mine", *FEW), ("--samples", music, "--against", "mine", "--out", "judged.json")):
        said = diffmidi("evaluate", *asked, *judge)
        assert said.code == 0, said.err
    for figures in ("mine/draws/1/figures.json", "judged.json"):
        bits = read(figures)["figures"]["judge/bits"]
        assert bits["value"] > 0 < bits["reference"]
        assert "under other (exact)" in bits["note"]
