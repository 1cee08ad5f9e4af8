"""A run of the autoregressive baseline: all commands as they are."""

import json
from pathlib import Path

from .conftest import QUIET, SMALL, drawn

CHOSEN = [*SMALL, "--process", "autoregressive", "--length", "32", *QUIET]


def test_it_runs_from_a_folder_to_music_without_a_fault(diffmidi, music):
    said = diffmidi("run", "--data", music, "--out", "mine", *CHOSEN, "-o", "tokenizer.layout=run", "--steps", "32")
    assert said.code == 0, said.err
    (judged,) = Path("mine/figures").iterdir()
    assert json.loads(judged.read_text())["figures"]["bound_bpw"]["value"] > 0
    figures = json.loads(Path("mine/draws/1/figures.json").read_text())["figures"]
    assert figures["grammar_faults"]["value"] == 0
    assert {len(piece.tokens) for piece in drawn("mine")} == {32}
    again = diffmidi("sample", "mine", "-o", "sampler.top_k=3", "--seed", "3")
    assert again.code == 0, again.err


def test_too_few_steps_are_said_before_anything_is_done(diffmidi, music):
    said = diffmidi("run", "--data", music, "--out", "mine", *CHOSEN, "-o", "tokenizer.layout=aligned", "--steps", "31")
    assert said.code == 2
    assert "takes one step a token, and 31 steps are fewer than the 32 tokens" in said.err
    assert not Path("mine").exists()
