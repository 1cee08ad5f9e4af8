"""A run in MidiTok's words."""

import json
from pathlib import Path

import miditok

from .conftest import TINY


def test_remi_runs_from_a_folder_to_sound_and_pictures(diffmidi, music):
    said = diffmidi("run", "--data", music, "--out", "mine", *TINY, "--tokenizer", "remi", "--backbone", "bert")
    assert said.code == 0, said.err
    for suffix in ("txt", "mid", "wav", "roll.png", "wave.png"):
        assert Path(f"mine/samples/sample-0-001.{suffix}").stat().st_size > 0
    assert json.loads(Path("mine/figures.json").read_text())["figures"]["bound_bpw"]["value"] > 0
    newest = sorted(Path("mine/checkpoints").iterdir())[-1]
    theirs = miditok.REMI(params=newest / "tokenizer" / "tokenizer.json")
    drawn = Path("mine/samples/sample-0-001.txt").read_text().splitlines()[1].split()
    assert 24 <= len(drawn) <= 32, "a window of whole notes"
    assert set(drawn) <= set(theirs.vocab)


def test_a_run_goes_on_without_the_file_its_tokenizer_was_made_from(diffmidi, music):
    learned = miditok.TSD(miditok.TokenizerConfig(num_velocities=8, encode_ids_split="no"))
    learned.train(vocab_size=len(learned) + 20, model="BPE", files_paths=sorted(music.glob("*.mid")))
    learned.save(Path("learned.json"))
    chosen = ("--tokenizer", "miditok", "-o", "tokenizer.pretrained=learned.json")
    assert diffmidi("run", "--data", music, "--out", "mine", *TINY, *chosen).code == 0
    Path("learned.json").unlink()
    said = diffmidi("sample", "mine", "--seed", "3")
    assert said.code == 0, said.err
    assert "TimeShift" in Path("mine/samples/sample-3-000.txt").read_text()
