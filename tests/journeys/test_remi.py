"""A run in MidiTok's words."""

import json
from pathlib import Path

import miditok

from .conftest import NORMAL, QUIET, SMALL, drawn


def test_remi_runs_from_a_folder_to_sound_and_pictures(diffmidi, music):
    said = diffmidi(
        "run", "--data", music, "--out", "mine", *SMALL, *NORMAL, "--tokenizer", "remi", "--backbone", "bert"
    )
    assert said.code == 0, said.err
    for suffix in ("mid", "wav", "roll.png", "wave.png"):
        assert Path(f"mine/draws/1/002.{suffix}").stat().st_size > 0
    (judged,) = Path("mine/figures").iterdir()
    assert json.loads(judged.read_text())["figures"]["bound_bpw"]["value"] > 0
    newest = sorted(Path("mine/checkpoints").iterdir())[-1]
    theirs = miditok.REMI(params=newest / "tokenizer" / "tokenizer.json")
    tokens = drawn("mine")[1].tokens
    assert 24 <= len(tokens) <= 32, "a window of whole notes"
    assert set(tokens) <= set(theirs.vocab)


def test_a_run_goes_on_without_the_file_its_tokenizer_was_made_from(diffmidi, music):
    learned = miditok.TSD(miditok.TokenizerConfig(num_velocities=8, encode_ids_split="no"))
    learned.train(vocab_size=len(learned) + 20, model="BPE", files_paths=sorted(music.glob("*.mid")))
    learned.save(Path("learned.json"))
    chosen = ("--tokenizer", "miditok", "-o", "tokenizer.pretrained=learned.json")
    assert diffmidi("run", "--data", music, "--out", "mine", *SMALL, *QUIET, *NORMAL, *chosen).code == 0
    Path("learned.json").unlink()
    said = diffmidi("sample", "mine", "--seed", "3")
    assert said.code == 0, said.err
    assert "TimeShift" in " ".join(drawn("mine", "2")[0].tokens)
