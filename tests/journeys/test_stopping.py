"""Stopped in the middle: everything is saved, and a resumed run is the run that was never stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from diffmidi_core.judge import evaluate
from diffmidi_core.machine.stop import SIGNALS
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.train.loop import Trainer

from .conftest import QUIET, TINY, UNHEARD, finish, silence
from .test_run import lines, tensors


def stop_at(monkeypatch, step, number=signal.SIGINT):
    update = Trainer._update

    def stopping(self):
        if self.step == step:
            os.kill(os.getpid(), number)
        return update(self)

    monkeypatch.setattr(Trainer, "_update", stopping)


def timeless(run):
    return [{**line, "steps_per_second": 0, "wait_share": 0} for line in lines(f"{run}/metrics.jsonl")]


@pytest.fixture(scope="module")
def unstopped(music, tmp_path_factory):
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("unstopped") / "whole"
    assert finish("run", "--data", music, "--out", folder, *TINY, *QUIET) == 0
    return folder


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(diffmidi, music, unstopped, monkeypatch, number):
    shutil.copytree(unstopped, "whole")
    before = signal.signal(number, signal.SIG_DFL)  # nohup would have some ignored
    with monkeypatch.context() as patch:
        stop_at(patch, 2, number)
        said = diffmidi("run", "--data", music, "--out", "halved", *TINY, *QUIET)
    signal.signal(number, before)
    assert said.code == 130
    assert "Stopped at iteration 3 of 6; everything is saved. Go on with: diffmidi run --resume halved" in said.err
    assert "Traceback" not in said.err
    assert sorted(os.listdir("halved/checkpoints")) == ["step-000002", "step-000003"]
    assert diffmidi("run", "--resume", "halved").code == 0
    assert tensors("whole") == tensors("halved")
    assert timeless("whole") == timeless("halved")
    for file in ("figures/step-000006.json", "draws/1/record.jsonl", "config.json"):
        assert Path("whole", file).read_bytes() == Path("halved", file).read_bytes(), file


def test_a_finished_run_resumed_is_left_as_it_is(diffmidi, mine):
    before = tensors("mine")
    silence(mine)
    assert diffmidi("run", "--resume", "mine", *UNHEARD).code == 0
    assert tensors("mine") == before


def test_more_iterations_go_on_from_the_newest_checkpoint(diffmidi, mine):
    assert diffmidi("train", "mine", "--resume", "--iterations", "8").code == 0
    assert sorted(os.listdir("mine/checkpoints"))[-1] == "step-000008"


def test_the_oldest_checkpoints_make_room(diffmidi, music):
    diffmidi("run", "--data", music, "--out", "mine", *TINY, *QUIET, "-o", "train.save_every=1", "-o", "train.keep=2")
    assert sorted(os.listdir("mine/checkpoints")) == ["step-000005", "step-000006"]


def test_an_interrupted_preparation_leaves_no_data(diffmidi, music, monkeypatch):
    from diffmidi_core.music import reading

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "read_midi_bytes_counted", interrupted)
    said = diffmidi("run", "--data", music, "--out", "mine", *TINY)
    assert said.code == 130
    assert said.err.splitlines()[-1].startswith("Stopped.")
    assert sorted(name for name in os.listdir("mine") if not name.startswith(".")) == ["config.json", "run.log"]
    monkeypatch.undo()


def after(monkeypatch, owner, name, times):
    """Ctrl-C once a method has been called so many times."""
    act, calls = getattr(owner, name), []

    def interrupting(*given):
        act(*given)
        calls.append(given)
        if len(calls) == times:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(owner, name, interrupting)


@pytest.mark.parametrize(
    ("times", "told"), [(1, "after 1 of 3 pieces, which is"), (2, "after 2 of 3 pieces, which are")]
)
def test_pieces_that_were_drawn_stay_and_are_counted(diffmidi, mine, monkeypatch, times, told):
    after(monkeypatch, DrawFolder, "add", times)
    said = diffmidi("sample", mine, "--samples", "3", "-o", "sample.batch_size=1", "--render", "none")
    assert said.code == 130
    assert said.err.splitlines()[-1].startswith(f"Stopped {told} whole in mine/draws/2."), said.err
    assert len(DrawFolder(mine / "draws/2").pieces()) == len(list(mine.glob("draws/2/*.mid"))) == times


def test_before_the_first_piece_nothing_is_claimed(diffmidi, mine, monkeypatch):
    after(monkeypatch, DrawFolder, "begin", 1)
    said = diffmidi("sample", mine, "--samples", "3")
    assert said.code == 130
    assert said.err.splitlines()[-1] == "Stopped before a piece was drawn; nothing else was changed."


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("judge_checkpoint", "Stopped before all figures of it were measured, so none was written"),
        ("judge_draw", "Stopped; the figures in mine/figures/step-000006.json are whole, and the others"),
    ],
)
def test_figures_that_were_measured_stay_and_are_named(diffmidi, mine, monkeypatch, where, told):
    before = (mine / "draws/1/figures.json").read_bytes()
    monkeypatch.setattr(evaluate, where, lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    said = diffmidi("evaluate", mine)
    assert said.code == 130
    assert said.err.splitlines()[-1].startswith(told), said.err
    assert "Traceback" not in said.err
    assert (mine / "draws/1/figures.json").read_bytes() == before


def test_a_run_that_is_stopped_after_training_says_how_to_go_on(diffmidi, music, monkeypatch):
    after(monkeypatch, DrawFolder, "add", 1)
    said = diffmidi("run", "--data", music, "--out", "mine", *TINY)
    assert said.code == 130
    assert said.err.splitlines()[-1] == "Stopped. What was done is kept. Go on with: diffmidi run --resume mine"


TOGETHER = (*TINY, *QUIET, "-o", "train.draw=2")
"""Two processes train, draw while training, and judge."""


def check_together(run, said):
    assert json.loads((run / "run.json").read_text())["processes"] == 2
    assert len(list((run / "draws" / "1").glob("*.mid"))) == 2
    assert len(list((run / "draws" / "step-3").glob("*.mid"))) == 2
    assert said.count("bits per token on held-out") == 3, "only the main process speaks"


def test_two_ranks_train_and_sample_together(starter, music, tmp_path):
    starter.run("run", "--data", music, "--out", "mine", *TOGETHER, folder=tmp_path, ranks=2)
    check_together(tmp_path / "mine", starter.log.read_text())


@pytest.mark.slow
def test_torchrun_starts_two_ranks(music, tmp_path):
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launched, "-m", "diffmidi_core", "run", "--data", str(music), "--out", str(tmp_path / "mine"), *TOGETHER],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    check_together(tmp_path / "mine", done.stderr)
