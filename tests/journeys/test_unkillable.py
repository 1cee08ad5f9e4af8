"""Killed, stopped and shared out: whatever happens to the processes of a training, the weights are the same."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

MODEL = ("--length", "16", "--precision", "fp32", "-o", "backbone.size=tiny", "-o", "process.steps=20")
TRAIN = ("-o", "train.warmup=0", "-o", "train.log_every=5", "-o", "train.evaluate_every=1000", "-o", "train.keep=2")


class Starter:
    def __init__(self, log):
        self.log = log
        self.served = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("starter.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def start(self, *words, folder, ranks=1):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.log.write_text("")
        asked = {"words": [*map(str, words)], "ranks": ranks, "port": port, "folder": str(folder), "log": str(self.log)}
        self.served.stdin.write(json.dumps(asked) + "\n")
        self.served.stdin.flush()
        return self._answer()

    def wait(self):
        return self._answer()

    def run(self, *words, folder, ranks=1):
        """A command that ends well."""
        self.start(*words, folder=folder, ranks=ranks)
        codes = self.wait()
        assert codes == [0] * ranks, self.log.read_text()

    def _answer(self):
        return json.loads(self.served.stdout.readline())


@pytest.fixture(scope="module")
def starter(tmp_path_factory):
    starter = Starter(tmp_path_factory.mktemp("starter") / "log")
    yield starter
    starter.served.communicate(timeout=60)


@pytest.fixture(scope="module")
def prepared(starter, music, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    starter.run("prepare", music, "--out", "prepared", *MODEL, *TRAIN, folder=folder)
    return folder / "prepared"


@pytest.fixture(scope="module")
def trained(starter, prepared):
    """Trains a copy of the prepared run by name; gives its folder, trained once."""

    def train(name, *words, ranks=1):
        run = prepared.parent / name
        if not run.exists():
            shutil.copytree(prepared, run)
            starter.run("train", name, *words, folder=run.parent, ranks=ranks)
        return run

    return train


def newest(run):
    steps = [int(path.parent.name.removeprefix("step-")) for path in run.glob("checkpoints/step-*/manifest.json")]
    return max(steps, default=0)


def weights(run):
    """Everything that training goes on from, at the newest checkpoint."""
    folder = run / "checkpoints" / f"step-{newest(run):06d}"
    return {
        f"{path.name}/{name}": value for path in folder.glob("*.safetensors") for name, value in load_file(path).items()
    }


def same(one, other):
    return one.keys() == other.keys() and all(value.equal(other[name]) for name, value in one.items())


def killed_at_some_moment(starter, run, chance, *words):
    """Start training, and kill it within a moment of its next checkpoint: at work, or in the middle of a write."""
    before = newest(run)
    (pid,) = starter.start("train", run.name, "--resume", *words, folder=run.parent)
    given_up = time.monotonic() + 60
    while newest(run) == before and time.monotonic() < given_up:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.04))
    os.kill(pid, signal.SIGKILL)
    (code,) = starter.wait()
    assert code == -signal.SIGKILL, starter.log.read_text()


def test_killed_twenty_times_it_ends_with_the_same_weights(starter, trained, prepared):
    words = ("--iterations", "150", "--batch-size", "2", "-o", "train.save_every=1")
    whole = trained("whole", *words)
    run = prepared.parent / "killed"
    shutil.copytree(prepared, run)
    chance = random.Random(0)
    for _ in range(20):
        killed_at_some_moment(starter, run, chance, *words)
        assert newest(run) < 150, "killed before the end"
    starter.run("train", run.name, "--resume", *words, folder=run.parent)
    assert newest(run) == 150
    assert same(weights(run), weights(whole))
    assert [path.name for path in (run / "checkpoints").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(("batch_size", "accumulate"), [(2, 1), (1, 2)])
def test_two_processes_take_the_steps_of_one(trained, batch_size, accumulate):
    even = ("--iterations", "6", "-o", "train.log_every=1", "-o", "backbone.dropout=0", "-o", "train.save_every=6")
    one = trained("alone", *even, "--batch-size", "4")
    two = trained(f"together-{batch_size}", *even, "--batch-size", batch_size, "--accumulate", accumulate, ranks=2)
    ours, theirs = (
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (one, two)
    )
    assert len(ours) == len(theirs) > 6
    for line, other in zip(ours, theirs, strict=True):
        assert line.keys() == other.keys()
        for name in line.keys() - {"steps_per_second", "wait_share"}:
            assert other[name] == pytest.approx(line[name], rel=1e-3), f"{name} at step {line['step']}"
    found, expected = weights(two), weights(one)
    for name, value in expected.items():
        if name.startswith("model."):
            assert found[name].allclose(value, atol=2e-4, rtol=1e-3), name


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_signal_to_any_process_stops_all_and_resuming_is_exact(starter, trained, prepared, ranks, number):
    words = ("--iterations", "150", "--batch-size", "2", "-o", "train.save_every=150")
    whole = trained(f"whole-{ranks}", *words, ranks=ranks)
    run = prepared.parent / f"stopped-{ranks}-{number.name}"
    shutil.copytree(prepared, run)
    pids = starter.start("train", run.name, *words, folder=run.parent, ranks=ranks)
    log, given_up = run / "metrics.jsonl", time.monotonic() + 60
    while not (log.exists() and '"loss"' in log.read_text()) and time.monotonic() < given_up:
        time.sleep(0.005)
    os.kill(pids[-1], number)
    assert starter.wait() == [130] * ranks, starter.log.read_text()
    said = starter.log.read_text()
    assert f"Stopped at iteration {newest(run)} of 150; everything is saved. Go on with: diffmidi run --resume" in said
    assert said.count("Stopped") == 1, "only the main process speaks"
    assert "Traceback" not in said
    assert 5 <= newest(run) < 150
    starter.run("train", run.name, "--resume", folder=run.parent, ranks=ranks)
    assert same(weights(run), weights(whole))
