"""Stopped in the middle: everything is saved, and a resumed run is the run that was never stopped."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from diffmidi_core.train.loop import Trainer

from .conftest import TINY
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(diffmidi, music, monkeypatch, number):
    diffmidi("run", "--data", music, "--out", "whole", *TINY)
    with monkeypatch.context() as patch:
        stop_at(patch, 2, number)
        said = diffmidi("run", "--data", music, "--out", "halved", *TINY)
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
    assert diffmidi("run", "--resume", "mine").code == 0
    assert tensors("mine") == before


def test_more_iterations_go_on_from_the_newest_checkpoint(diffmidi, mine):
    assert diffmidi("train", "mine", "--resume", "--iterations", "8").code == 0
    assert sorted(os.listdir("mine/checkpoints"))[-1] == "step-000008"


def test_the_oldest_checkpoints_make_room(diffmidi, music):
    diffmidi("run", "--data", music, "--out", "mine", *TINY, "-o", "train.save_every=1", "-o", "train.keep=2")
    assert sorted(os.listdir("mine/checkpoints")) == ["step-000005", "step-000006"]


def test_an_interrupted_preparation_leaves_no_data(diffmidi, music, monkeypatch):
    from diffmidi_core.music import reading

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "read_midi_bytes_counted", interrupted)
    said = diffmidi("run", "--data", music, "--out", "mine", *TINY)
    assert said.code == 130
    assert said.err.splitlines()[-1].startswith("Stopped.")
    assert [name for name in os.listdir("mine") if not name.startswith(".")] == ["config.json"]
    monkeypatch.undo()


def test_two_ranks_train_and_sample_together(music, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, "-m", "diffmidi_core", "run", "--data", str(music), "--out", str(tmp_path / "mine"), *TINY],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads((tmp_path / "mine" / "run.json").read_text())["processes"] == 2
    assert len(list((tmp_path / "mine" / "draws" / "1").glob("*.mid"))) == 2
    assert done.stderr.count("bits per token on held-out") == 3, "only the main process speaks"
