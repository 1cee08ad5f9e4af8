"""`diffmidi` in processes of its own that start at once, and what their runs leave."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from safetensors.torch import load_file

MODEL = (
    "--length",
    "16",
    "--precision",
    "fp32",
    "-o",
    "backbone.size=tiny",
    "--process",
    "gaussian",
    "-o",
    "process.steps=20",
)
ALIGNED = ("-o", "tokenizer.layout=aligned")
"""For `prepare`: tokens that the gaussian process can be trained on."""
TRAIN = (
    *("-o", "train.warmup=0", "-o", "train.log_every=5", "-o", "train.evaluate_every=1000", "-o", "train.keep=2"),
    *("-o", "train.draw=0"),
)


class Starter:
    """Asks starter.py for processes; `log` is where they write what they say."""

    def __init__(self, log):
        self.log = log
        self.served = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("starter.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def start(self, *words, folder, ranks=1, sharded=None, zero=None, unread=False):
        """The ids of `ranks` processes; `sharded` are the FSDP settings of a config for accelerate, `zero` the stage of
        DeepSpeed's ZeRO; `unread`: what they say goes into a pipe that nobody reads.
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.log.write_text("")
        asked = {"words": [*map(str, words)], "ranks": ranks, "port": port, "folder": str(folder), "log": str(self.log)}
        self.served.stdin.write(json.dumps({**asked, "sharded": sharded, "zero": zero, "unread": unread}) + "\n")
        self.served.stdin.flush()
        return self._answer()

    def wait(self):
        return self._answer()

    def run(self, *words, folder, ranks=1, **how):
        """A command that ends well."""
        self.start(*words, folder=folder, ranks=ranks, **how)
        codes = self.wait()
        assert codes == [0] * ranks, self.log.read_text()

    def killed(self, *words, folder, when, within):
        """A command that is killed `within` seconds after `when()`, unless it has ended by then; whether it was."""
        (pid,) = self.start(*words, folder=folder)
        given_up = time.monotonic() + 60
        while not when() and time.monotonic() < given_up:
            time.sleep(0.001)
        time.sleep(within)
        os.kill(pid, signal.SIGKILL)
        (code,) = self.wait()
        assert code in (0, -signal.SIGKILL), self.log.read_text()
        return code != 0

    def close(self):
        self.served.communicate(timeout=60)

    def _answer(self):
        return json.loads(self.served.stdout.readline())


def newest(run):
    """The step of the newest checkpoint, 0 where there is none."""
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


def logged(run):
    """The lines of its log, without what the machine's speed decides."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: line[name] for name in line.keys() - {"steps_per_second", "wait_share"}} for line in lines]
