"""benchmarks/device.py: at sizes of nothing it runs from end to end, and it goes on where it was cut off."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "device.py"


@pytest.fixture
def device(monkeypatch):
    """The script as a module, beside those that it imports."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("device", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "device", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setting(device, tmp_path):
    return device.Setting(tmp_path, "cpu", True, None)


def test_the_tiny_one_runs_from_end_to_end(tmp_path):
    music = tmp_path / "music"
    music.mkdir()
    for seed in range(6):
        pitch = 60 + np.tile([0, 4, 7, 12], 8) + np.repeat(np.random.default_rng(seed).integers(-5, 6, 8), 4)
        write_midi(
            score_of(Notes(np.arange(32) * 240, np.full(32, 240), pitch, np.full(32, 80))), music / f"{seed}.mid"
        )
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--tiny", "--out", str(out), "--data", str(music)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {path.stem: json.loads(path.read_text()) for path in out.glob("*.json")}
    assert found.keys() == {"tests", "training-tiny-16", "sampling-tiny", "paper-bert"}
    assert all(part["whole"] and part["rows"] for part in found.values())
    assert {row["came to"] for row in found["tests"]["rows"]} == {"passed"}
    assert all(row["tokens/s"] > 0 for row in found["training-tiny-16"]["rows"])
    assert {row["process"] for row in found["training-tiny-16"]["rows"]} == {"gaussian", "masked", "autoregressive"}
    assert {"bound_bpw", "rounding_bpw"} <= {row["figure"] for row in found["paper-bert"]["rows"]}
    table = (out / "table.md").read_text()
    assert all(f"## {name} (" in table for name in found)


def test_a_part_that_is_there_is_not_done_again(device, setting):
    asked = []

    def measure(setting, rows, seconds):
        asked.append(seconds)
        rows.append({"what": len(rows)})
        return len(rows) == 2

    part = device.Part("some", 30, measure)
    assert not device.done(setting, part, 7)
    assert "not done yet" in device.table(setting.out)
    assert device.done(setting, part, 100)
    assert device.done(setting, part, 100)
    assert asked == [7, 30]
    assert "| what |\n| --- |\n| 0 |\n| 1 |" in device.table(setting.out)


def test_a_part_that_fails_says_why_and_is_begun_again(device, setting):
    def measure(setting, rows, seconds):
        rows.append({"what": 1})
        raise RuntimeError("left with exit code 3.")

    part = device.Part("some", 30, measure)
    assert not device.done(setting, part, 7)
    kept = json.loads((setting.out / "some.json").read_text())
    assert (kept["failed"], kept["whole"], kept["rows"]) == ("left with exit code 3.", False, [{"what": 1}])
    assert "It failed: left with exit code 3." in device.table(setting.out)


def test_what_is_measured_already_is_kept_and_what_memory_does_not_hold_is_told(device):
    rows = [{"size": 1, "value": 3.5}]

    def one(size):
        if size == 3:
            raise device.torch.OutOfMemoryError("CUDA out of memory.")
        return {"value": float(size)}

    assert device.each([(1,), (2,), (3,)], ("size",), one, rows, 60)
    assert rows == [{"size": 1, "value": 3.5}, {"size": 2, "value": 2.0}, {"size": 3, "failed": "out of memory"}]


def test_over_its_seconds_a_part_leaves_the_rest(device):
    rows = []
    assert not device.each([(1,), (2,)], ("size",), lambda size: {}, rows, -1)
    assert rows == []


def test_on_a_machine_without_a_gpu_it_says_so(device, monkeypatch, capsys):
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["device.py"])
    with pytest.raises(SystemExit, match="2"):
        device.main()
    assert "there is no GPU here: --tiny" in capsys.readouterr().err


def test_a_command_that_takes_too_long_is_told_to_stop(device, setting):
    commands = sys.modules["device_commands"]
    assert commands.beside("timeit", ["-n", "1", "import time; time.sleep(600)"], 0.5) is None
    with pytest.raises(RuntimeError, match="`python -m timeit --no-such-option` left with exit code 2"):
        commands.python("timeit", ["--no-such-option"], device.Setting(setting.out, "cpu", False, None), 60, {0})
