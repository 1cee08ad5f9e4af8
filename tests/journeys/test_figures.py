"""figures.json: what a run is judged by, beside held-out music, and each sample's own rows."""

import json
from pathlib import Path

import pytest

from diffmidi_core.config import METRICS

from .conftest import TINY


def found(run):
    return json.loads(Path(run, "figures.json").read_text())


def test_figures_stand_beside_held_out_music_and_rows_beside_samples(diffmidi, music):
    said = diffmidi("run", "--data", music, "--out", "mine", *TINY, "-o", "prepare.heldout=0.3", "--renderer", "midi")
    assert said.code == 0, said.err
    figures, samples = found("mine")["figures"], found("mine")["samples"]
    assert {name.partition("/")[0] for name in figures} == set(METRICS)
    assert figures["bits_by_type/pitch"]["unit"] == "bits per pitch word"
    parts = ("pitch", "velocity", "duration", "shift")
    by_type = sum(figures[f"bits_by_type/{part}"]["value"] for part in parts) / 4
    special = figures["bits_by_type/special"]["value"] * 2 / 32
    assert by_type + special == pytest.approx(figures["bound_bpw"]["value"])
    low, high = figures["bound_bpw"]["interval"]
    assert low < figures["bound_bpw"]["value"] < high
    assert figures["grammar_faults"]["reference"] == 0, "held-out music has no faults"
    assert set(samples) == {"sample-0-000", "sample-0-001"}
    assert samples["sample-0-000"]["grammar_faults"] == {"above": 0, "below": 32}
    changed = int(samples["sample-0-000"]["grammar_changes"]["above"])
    assert f"grammar_changes={changed}" in Path("mine/samples/sample-0-000.txt").read_text().split()
    assert "grammar_changes" in Path("mine/report.html").read_text()


def test_samples_are_judged_without_a_checkpoint(diffmidi, music):
    diffmidi("run", "--data", music, "--out", "mine", *TINY)
    for path in Path("mine/checkpoints").iterdir():
        path.rename(path.with_name("elsewhere-" + path.name))
    said = diffmidi("evaluate", "mine", "--metric", "grammar_faults", "--metric", "inter_onsets")
    assert said.code == 0, said.err
    assert found("mine")["checkpoint"] is None
    assert {name.partition("/")[0] for name in found("mine")["figures"]} == {"grammar_faults", "inter_onsets"}


def test_held_out_pieces_shorter_than_the_samples_are_no_comparison(diffmidi, music):
    said = diffmidi("run", "--data", music, "--out", "mine", *TINY, "--notes", "150", "--samples", "1")
    assert said.code == 0, said.err
    assert "no held-out piece is as long as the samples (600 words)" in said.err
    figures = found("mine")["figures"]
    assert figures["grammar_faults"]["reference"] is None
    assert figures["overlap_area"] is None
    assert figures["bound_bpw"]["value"] > 0
