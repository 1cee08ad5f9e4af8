"""A run of the second process: all commands as they are."""

import json
from pathlib import Path

import pytest

from diffmidi_core.draw.samples import read_samples
from diffmidi_core.registry import find

from .conftest import SMALL


@pytest.mark.parametrize("layout", ["run", "paper"])
def test_masked_runs_from_a_folder_to_music_without_a_fault(diffmidi, music, layout):
    chosen = ("--process", "masked", "-o", f"tokenizer.layout={layout}")
    said = diffmidi("run", "--data", music, "--out", "mine", *SMALL, *chosen)
    assert said.code == 0, said.err
    figures = json.loads(Path("mine/figures.json").read_text())["figures"]
    assert figures["bound_bpw"]["value"] > 0
    assert figures["grammar_faults"]["value"] == 0
    assert figures["rounding_bpw"] is None
    assert "Nothing to measure for rounding_bpw" in said.err
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    lengths = {len(ids) for _, ids in read_samples(Path("mine/samples"), tokenizer)}
    assert lengths == {30 if layout == "paper" else 32}
    for sampler in ("ancestral", "confidence", "remask"):
        again = diffmidi("sample", "mine", "--sampler", sampler, "--steps", "4", "--seed", "3")
        assert again.code == 0, again.err
