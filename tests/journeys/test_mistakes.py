"""Mistakes: one sentence each, no traceback, and nothing half-written that looks whole."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from .conftest import QUIET, TINY


def expect_complaint(said, text, code=1):
    assert said.code == code, said.err
    assert "Traceback" not in said.err
    complaint = said.err.strip().splitlines()[-1]
    assert text in complaint, said.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["run", "--tokenizer", "mnm"], "no tokenizer 'mnm' is installed. Did you mean 'mmm'? Installed: "),
        (["run", "--backbone", "brt"], "no backbone 'brt' is installed. Did you mean 'bert'?"),
        (["run", "-o", "backbone.sise=tiny"], "there is no option backbone.sise. Did you mean 'size'?"),
        (["run", "-o", "backbone.size=huge"], "backbone.size: input should be 'tiny', 'mini', 'small' or 'base'"),
        (["run", "-o", "train.lr=fast"], "train.lr: input should be a valid number"),
        (
            ["run", "--process", "gaussian", "-o", "process.steps=1"],
            "process.steps: input should be greater than or equal to 2 (given: 1)",
        ),
        (["run", "--iterations", "many"], "'many' is not a valid integer"),
        (["run", "--resume", "x", "--out", "y"], "--resume takes the run's own folder"),
        (["rnu"], "No such command 'rnu'"),
    ],
)
def test_wrong_words_are_found_before_anything_is_begun(diffmidi, words, text):
    expect_complaint(diffmidi(*words), text, 2)
    assert os.listdir() == []


def test_a_folder_that_is_not_there(diffmidi):
    expect_complaint(diffmidi("run", "--data", "nowhere", "--out", "mine"), "nowhere")
    assert not Path("mine/data").exists()


def test_an_empty_folder(diffmidi):
    Path("empty").mkdir()
    expect_complaint(diffmidi("run", "--data", "empty", "--out", "mine"), ".mid")


def test_a_folder_of_unreadable_files(diffmidi):
    Path("bad").mkdir()
    for name in ("a.mid", "b.mid"):
        Path("bad", name).write_text("not music")
    expect_complaint(
        diffmidi("run", "--data", "bad", "--out", "mine"), "none of the 2 pieces could be used (2 not midi)"
    )
    assert not Path("mine/data").exists()


def test_a_full_disk(diffmidi, music):
    resource = pytest.importorskip("resource", reason="what a file may have is limited on Unix alone")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # the weights alone are larger
    try:
        said = diffmidi("run", "--data", music, "--out", "mine", *TINY, *QUIET)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    expect_complaint(said, "mine/checkpoints/step-000002 cannot be written:")
    assert os.listdir("mine/checkpoints") == []
    assert diffmidi("run", "--resume", "mine").code == 0


def test_a_run_that_is_not_there(diffmidi):
    for stage in ("train", "evaluate", "render", "report"):
        expect_complaint(diffmidi(stage, "nowhere"), "there is no run in nowhere")
    expect_complaint(
        diffmidi("sample", "run/nowhere"), "there is no model in run/nowhere (no config.json): name a run or"
    )
    complaint = "there is no folder nowhere, and no model 'nowhere' is installed."
    expect_complaint(diffmidi("sample", "nowhere"), complaint, 2)


def test_a_missing_checkpoint(diffmidi, music):
    diffmidi("prepare", music, "--out", "mine")
    expect_complaint(
        diffmidi("sample", "mine"), "there is no checkpoint in mine/checkpoints: run `diffmidi train mine` first."
    )
    expect_complaint(diffmidi("render", "mine"), "run `diffmidi sample mine` first")


def test_a_damaged_checkpoint(diffmidi, mine):
    expect_complaint(diffmidi("sample", "mine", "--checkpoint", "5"), "There are: 2, 4, 6.")
    weights = Path("mine/checkpoints/step-000006/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    expect_complaint(diffmidi("sample", "mine"), "is damaged")
    weights.unlink()
    expect_complaint(diffmidi("sample", "mine"), "is missing: mine/checkpoints/step-000006 is not whole")
    assert diffmidi("sample", "mine", "--checkpoint", "4").code == 0


def test_a_checkpoint_of_another_tokenizer_or_model(diffmidi, mine):
    expect_complaint(
        diffmidi("sample", "mine", "-o", "tokenizer.grid=24"), "-o tokenizer.grid: tokenizer belongs to", 2
    )
    expect_complaint(
        diffmidi("sample", "mine", "-o", "backbone.layers=3"), "-o backbone.layers: backbone belongs to", 2
    )
    file = Path("mine/config.json")
    written = file.read_text()
    config = json.loads(written)
    for kind, option, text in (
        ("tokenizer", {"grid": 24}, "prepared with another tokenizer"),
        ("backbone", {"layers": 3}, ", which this model has"),
    ):
        part = {**config[kind], "options": {**config[kind]["options"], **option}}
        file.write_text(json.dumps({**config, kind: part}))
        expect_complaint(diffmidi("train", "mine", "--resume"), text)
    file.write_text(written)
    assert diffmidi("train", "mine", "--resume").code == 0, "a mistake does not spoil the run"


def test_a_run_whose_plugin_is_not_installed_any_more(diffmidi, mine, rewrite):
    file, before = Path("mine/config.json"), sorted(Path("mine").rglob("*"))
    written = file.read_text()
    config, part = json.loads(written), {"name": "net", "package": "acme-midi", "version": "3", "options": {"size": 3}}
    for kind in ("tokenizer", "backbone", "process"):
        file.write_text(json.dumps({**config, kind: part}))
        for words in (["run", "--resume", "mine"], ["train", "mine", "--resume"]):
            expect_complaint(diffmidi(*words), f"no {kind} 'acme-midi:net' is installed.", 2)
    file.write_text(written)
    for kind in ("tokenizer", "backbone", "process"):
        manifest = Path("mine/checkpoints/step-000006/manifest.json")
        whole = manifest.read_text()
        rewrite(manifest, **{kind: part})
        needs = f"needs {kind} 'net' of acme-midi 3, which is not installed: pip install acme-midi==3."
        expect_complaint(diffmidi("sample", "mine"), needs)
        manifest.write_text(whole)
    assert sorted(Path("mine").rglob("*")) == before


def test_a_folder_that_only_lets_read(diffmidi, mine, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)  # as root may write wherever it is forbidden
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    for words in (["train", "mine", "--resume", "--iterations", "8"], ["sample", "mine"]):
        expect_complaint(diffmidi(*words), "cannot be written: Read-only file system.")


def test_a_run_is_never_written_over(diffmidi, mine, music):
    expect_complaint(diffmidi("run", "--data", music, "--out", "mine", *TINY), "mine already holds a run")
    expect_complaint(diffmidi("train", "mine"), "holds checkpoints already")


def test_a_single_piece_says_that_nothing_is_held_out(diffmidi, music):
    Path("one").mkdir()
    Path("one/a.mid").write_bytes((music / "piece 0.mid").read_bytes())
    said = diffmidi("run", "--data", "one", "--out", "mine", *TINY, *QUIET)
    assert said.code == 0, said.err
    assert "there is no music that was not trained on (one piece only)" in " ".join(said.err.split())


def test_more_steps_than_there_are_levels(diffmidi, music):
    diffmidi("run", "--data", music, "--out", "mine", *TINY, *QUIET)
    expect_complaint(diffmidi("sample", "mine", "--steps", "21"), "there are 20 noise levels: ask for 1 to 20")


def test_a_loss_that_runs_away_is_named(diffmidi, music):
    expect_complaint(
        diffmidi("run", "--data", music, "--out", "mine", *TINY, "--lr", "1e30", "-o", "train.clip=0"),
        "lower the learning rate",
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--seed", 2**64), "config.seed: input should be less than or equal to 18446744073709551615 (given: 184467"),
        (("--lr", "inf"), "train.lr: input should be a finite number (given: inf)"),
        (("-o", "train.weight_decay=Infinity"), "train.weight_decay: input should be a finite number (given: inf)"),
        (("-o", "process.init_std=Infinity"), "process.init_std: input should be a finite number (given: inf)"),
        (("--iterations", "0"), "train.iterations: input should be greater than or equal to 1 (given: 0)"),
    ],
)
def test_numbers_that_cannot_be_are_found_before_anything_is_begun(diffmidi, words, text):
    expect_complaint(diffmidi("run", *words), text, 2)
    assert os.listdir() == []


def test_a_draw_from_a_seed_that_cannot_be(diffmidi, mine):
    expect_complaint(diffmidi("sample", mine, "--seed", 2**64), "sample.seed: input should be less than or equal", 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", [["compare"], ["--help"], ["plugins"]])
def test_output_that_cannot_be_written_is_one_sentence(mine, words):
    words = [*words, str(mine)] if words == ["compare"] else words
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "diffmidi_core", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: what is printed cannot be written: No space left on device.\n"
