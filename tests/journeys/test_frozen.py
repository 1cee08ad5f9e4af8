"""What trained a run stays as it was, whatever is drawn, judged and shown afterwards."""

import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import QUIET, TRAINED, Said

DRAWS = ("--steps", "3", "--samples", "2")
UNHEARD = (*DRAWS, *QUIET)


@pytest.fixture
def run(diffmidi, music):
    """A run of six iterations."""

    def make(name="mine", *words):
        said = diffmidi("run", "--data", music, "--out", name, *TRAINED, *UNHEARD, *words)
        assert said.code == 0, said.err
        return Path(name)

    return make


def refused(said: Said, text: str) -> None:
    assert said.code == 2, said.err
    assert text in said.err
    assert len(said.err.strip().splitlines()) <= 4


def weights(run):
    newest = sorted((run / "checkpoints").iterdir())[-1]
    return [
        hashlib.sha256((newest / name).read_bytes()).hexdigest() for name in ("model.safetensors", "ema.safetensors")
    ]


def test_drawing_judging_and_showing_change_nothing_of_what_trained_it(diffmidi, mine):
    before = {name: (mine / name).read_bytes() for name in ("config.json", "run.json", "metrics.jsonl")}
    for words in (
        ("sample", mine, "--seed", "7", "--samples", "1", "--steps", "2", "--bars", "1", "-o", "sample.batch_size=1"),
        ("evaluate", mine, "-o", "evaluate.windows=2", "-o", "evaluate.levels=1"),
        ("render", mine, "--no-renderer", "wav"),
        ("report", mine),
    ):
        said = diffmidi(*words)
        assert said.code == 0, said.err
    assert {name: (mine / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("sample", "--lr", "5"), "No such option '--lr'"),
        (("sample", "--data", "/nonexistent"), "No such option '--data'"),
        (("render", "--iterations", "99999"), "No such option '--iterations'"),
        (("sample", "-o", "train.lr=5"), "-o train.lr: train belongs to `diffmidi train`."),
        (("evaluate", "-o", "prepare.heldout=0.3"), "-o prepare.heldout: prepare belongs to `diffmidi prepare`."),
        (("train", "--resume", "--seed", "3"), "was trained with seed 0, and what trained a run does not change"),
        (("train", "--resume", "--lr", "5"), "was trained with train.lr 0.002"),
        (("train", "--resume", "-o", "backbone.size=small"), "was trained with backbone."),
        (("train", "--resume", "--iterations", "3"), "is to train for 6 iterations, and it can only be more"),
        (("train", "--resume", "--batch-size", "8"), "trains on 4 windows a step"),
    ],
)
def test_a_flag_that_would_make_the_run_say_false_things_is_refused(diffmidi, mine, words, text):
    before = (mine / "config.json").read_bytes()
    command, *rest = words
    refused(diffmidi(command, mine, *rest), text)
    assert (mine / "config.json").read_bytes() == before


def test_a_resumed_run_does_not_go_on_with_other_music(diffmidi, mine, tmp_path):
    refused(diffmidi("run", "--resume", mine, "--data", tmp_path), "mine was prepared from ")


def test_prepared_music_stays_as_it_was_prepared_and_the_rest_may_still_change(diffmidi, music):
    assert diffmidi("prepare", music, "--out", "mine", "-o", "tokenizer.layout=aligned").code == 0
    refused(
        diffmidi("prepare", "--resume", "mine", "-o", "tokenizer.grid=6"), "mine was prepared with tokenizer.grid 12"
    )
    said = diffmidi("train", "mine", *TRAINED, "--preset", "upgraded", "-o", "process.steps=20", "--seed", "4")
    assert said.code == 0, said.err
    config = json.loads(Path("mine/config.json").read_text())
    assert (config["preset"], config["seed"], config["sampler"]["name"]) == ("upgraded", 4, "dpmpp")


def test_a_command_that_is_stopped_by_others_goes_on_to_the_same_weights(diffmidi, music):
    words = ("run", "--data", music, "--out", "cut", *TRAINED, *UNHEARD, "--iterations", "12", "-o", "train.keep=9")
    assert diffmidi(*words).code == 0
    straight = weights(Path("cut"))
    for step in (8, 10, 12):  # as if it had been stopped at 6
        for file in Path(f"cut/checkpoints/step-{step:06d}").rglob("*"):
            file.unlink()
        Path(f"cut/checkpoints/step-{step:06d}").rmdir()
    for others in (("sample", "cut", "--seed", "9", *DRAWS), ("evaluate", "cut"), ("render", "cut")):
        said = diffmidi(*others)
        assert said.code == 0, said.err
    assert diffmidi("train", "cut", "--resume").code == 0
    assert weights(Path("cut")) == straight


def test_a_run_with_a_constant_rate_is_extended_as_if_it_had_been_asked_for_more_at_once(diffmidi, music):
    long, short = Path("long"), Path("short")
    assert diffmidi("prepare", music, "--out", long).code == 0
    shutil.copytree(long, short)
    steady = (*TRAINED, "-o", "train.anneal=false")
    assert diffmidi("train", long, *steady, "--iterations", "12").code == 0
    assert diffmidi("train", short, *steady).code == 0
    said = diffmidi("train", short, "--resume", "--iterations", "12")
    assert said.code == 0, said.err
    assert weights(short) == weights(long)
    segments = json.loads((short / "run.json").read_text())["segments"]
    assert [(each["from"], each["to"]) for each in segments] == [(0, 6), (6, 12)]
    assert segments[1]["changed"] == {"train.iterations": [6, 12]}
    assert json.loads((short / "config.json").read_text())["train"]["iterations"] == 6
    assert diffmidi("train", short, "--resume").code == 0, "it goes on being a run of twelve"


def test_where_the_rate_anneals_an_extension_is_said_to_be_another_run(diffmidi, mine):
    said = diffmidi("train", mine, "--resume", "--iterations", "8")
    assert said.code == 0, said.err
    assert "is not the same as" in " ".join(said.err.split())


def test_every_value_says_which_layer_it_came_from(diffmidi, run):
    mine = run("mine", "--preset", "upgraded", "-o", "process.steps=20")
    origin = json.loads((mine / "config.json").read_text())["origin"]
    assert origin["preset"] == origin["data"] == origin["train.batch_size"] == "flag"
    assert origin["process.steps"] == origin["backbone.size"] == "-o"
    assert origin["process"] == origin["process.sphere"] == "preset upgraded"
    assert "train.beta1" not in origin
    said = diffmidi("run", "--config", "mine/config.json", "--lr", "0.5", "--explain")
    assert said.code == 0, said.err
    rows = {words[0]: words[1:] for line in said.out.splitlines() if (words := line.split())}
    assert rows["train.lr"] == ["0.5", "flag"]
    assert rows["train.batch_size"] == ["4", "flag"], "as the run it comes from has it"
    assert rows["train.beta1"] == ["0.9", "default"]
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["sample", "evaluate", "render", "report", "train", "prepare"])
def test_help_shows_the_flags_of_one_stage(diffmidi, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    said = diffmidi(command, "--help")
    foreign = {"sample": "--lr", "evaluate": "--iterations", "render": "--lr", "report": "--lr", "train": "--samples"}
    assert foreign.get(command, "--iterations") not in said.out
    if command in ("sample", "render", "report"):
        assert len(said.out.splitlines()) <= 50


def test_a_run_that_somebody_works_on_is_left_to_him(diffmidi, mine, music):
    from diffmidi_core.saved.lock import hold

    before = (mine / "config.json").read_bytes()
    holding = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(mine)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holding.stdout.readline() == "held\n"
        for words in (("train", mine, "--resume"), ("run", "--resume", mine), ("run", "--data", music, "--out", mine)):
            said = diffmidi(*words)
            assert said.code == 1
            assert f"mine is in use: process {holding.pid} on " in said.err
        assert diffmidi("sample", mine, *DRAWS, "--render", "none").code == 0
    finally:
        holding.kill()
        holding.communicate()
    assert (mine / "config.json").read_bytes() == before
    with hold(mine):
        pass


HOLDING = """
import sys
from pathlib import Path
from diffmidi_core.saved.lock import hold
with hold(Path(sys.argv[1]), "train"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_runs_without_a_name_never_choose_the_same(tmp_path, monkeypatch):
    from diffmidi_core.config import resolve
    from diffmidi_core.saved.folder import RunFolder

    monkeypatch.chdir(tmp_path)
    config = resolve()
    with ThreadPoolExecutor(8) as at_once:
        claimed = list(at_once.map(lambda _: RunFolder.claim(None, config).path, range(16)))
    assert len(set(claimed)) == 16
