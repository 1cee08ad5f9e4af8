"""A run of the second process: all commands as they are."""

import json
from pathlib import Path

import pytest

from .conftest import SMALL, drawn


@pytest.mark.parametrize("layout", ["run", "paper"])
def test_masked_runs_from_a_folder_to_music_without_a_fault(diffmidi, music, layout):
    chosen = ("--process", "masked", "-o", f"tokenizer.layout={layout}")
    said = diffmidi("run", "--data", music, "--out", "mine", *SMALL, *chosen)
    assert said.code == 0, said.err
    (judged,) = Path("mine/figures").iterdir()
    figures = json.loads(judged.read_text())["figures"]
    assert figures["bound_bpw"]["value"] > 0
    assert figures["rounding_bpw"] is None
    assert json.loads(Path("mine/draws/1/figures.json").read_text())["figures"]["grammar_faults"]["value"] == 0
    assert "rounding_bpw" not in said.err, "there is nothing to measure"
    assert {len(piece.tokens) for piece in drawn("mine")} == {96}
    for sampler in ("ancestral", "confidence", "remask"):
        again = diffmidi("sample", "mine", "--sampler", sampler, "--steps", "4", "--seed", "3")
        assert again.code == 0, again.err
