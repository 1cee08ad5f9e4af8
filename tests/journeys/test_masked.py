"""A run of the second process: all commands as they are."""

import json
from pathlib import Path

import pytest

from .conftest import QUIET, SMALL, drawn


@pytest.mark.parametrize("backbone", ["bert", "modern"])
def test_a_run_of_the_default_tokens_plays_bars(diffmidi, music, backbone):
    words = ("run", "--tokenizer", "mmm", "--backbone", backbone, "--data", music, "--out", "mine", *SMALL, *QUIET)
    said = diffmidi(*words)
    assert said.code == 0, said.err
    config = json.loads(Path("mine/config.json").read_text())
    assert (config["tokenizer"]["options"]["layout"], config["backbone"]["name"]) == ("cells", backbone)
    assert json.loads(Path("mine/draws/1/figures.json").read_text())["figures"]["grammar_faults"]["value"] == 0
    for piece in drawn("mine"):
        first = piece.tokens[0].startswith("up")
        bars = [token for token in piece.tokens if token.startswith(("bar", "up", "end"))]
        assert (len(bars) - first, bars[-1][:3]) == (8, "end")


@pytest.mark.parametrize("layout", ["run", "paper"])
def test_masked_runs_from_a_folder_to_music_without_a_fault(diffmidi, music, layout):
    chosen = ("--process", "masked", "-o", f"tokenizer.layout={layout}")
    said = diffmidi("run", "--data", music, "--out", "mine", *SMALL, *QUIET, "--length", "32", *chosen)
    assert said.code == 0, said.err
    (judged,) = Path("mine/figures").iterdir()
    figures = json.loads(judged.read_text())["figures"]
    assert figures["bound_bpw"]["value"] > 0
    assert figures["rounding_bpw"] is None
    assert json.loads(Path("mine/draws/1/figures.json").read_text())["figures"]["grammar_faults"]["value"] == 0
    assert "rounding_bpw" not in said.err, "there is nothing to measure"
    assert {len(piece.tokens) for piece in drawn("mine")} == {30 if layout == "paper" else 32}
    for sampler in ("ancestral", "confidence", "remask"):
        again = diffmidi("sample", "mine", "--sampler", sampler, "--steps", "4", "--seed", "3")
        assert again.code == 0, again.err
