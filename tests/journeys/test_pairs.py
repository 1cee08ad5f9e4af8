"""Every tokenizer goes with every denoiser and every noise schedule."""

import json
from pathlib import Path

import pytest

from .conftest import GAUSSIAN, NORMAL, QUIET, SMALL


@pytest.mark.parametrize(
    ("tokenizer", "backbone", "schedule"),
    [
        ("mmm", "bert", "sqrt"),
        ("remi", "electra", "sqrt"),
        ("mmm", "electra", "linear"),
        ("remi", "bert", "linear"),
        ("mmm", "bert", "cosine"),
        ("remi", "electra", "cosine"),
    ],
)
def test_it_trains_samples_and_evaluates(diffmidi, music, tokenizer, backbone, schedule):
    parts = ("--tokenizer", tokenizer, "--backbone", backbone, "--schedule", schedule)
    chosen = GAUSSIAN if tokenizer == "mmm" else NORMAL
    said = diffmidi("run", "--data", music, "--out", "mine", *SMALL, *QUIET, *chosen, *parts)
    assert said.code == 0, said.err
    config = json.loads(Path("mine/config.json").read_text())
    assert [config[kind]["name"] for kind in ("tokenizer", "backbone", "schedule")] == [tokenizer, backbone, schedule]
    (judged,) = Path("mine/figures").iterdir()
    figures = json.loads(judged.read_text())["figures"]
    assert figures["bound_bpw"]["value"] > figures["rounding_bpw"]["value"] > 0
    assert len(list(Path("mine/draws/1").glob("*.mid"))) == 2
