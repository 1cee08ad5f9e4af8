"""Parts of device.py that are commands: the tests that need a GPU, and the paper's runs."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from device import Setting

ROOT = Path(__file__).resolve().parent.parent
STOP = 20.0
"""Seconds that a command has to leave well once it is told to."""
NOTHING = (
    *("--iterations", "2", "--batch-size", "2", "--length", "14", "--samples", "1", "--steps", "2"),
    *("-o", "process.steps=8", "-o", "evaluate.windows=2", "-o", "evaluate.levels=1"),
)
"""What makes the paper's run one of nothing."""
REHEARSED = "test_legal_texts or test_a_sampler_draws and ddpm"


def measure_tests(setting: Setting, rows: list[dict[str, Any]], seconds: float) -> bool:
    """A row for what each test came to, and the reasons of those that did not pass. On a CPU a few are rehearsed."""
    written = setting.out / "tests.xml"
    words = ["-m", "gpu", ROOT / "tests" / "gpu", "-q", "-p", "no:cacheprovider", f"--junit-xml={written}"]
    if setting.tiny:
        os.environ["DIFFMIDI_TEST_DEVICE"] = "cpu"
        words += [*("-n", "0", "-k", REHEARSED), ROOT / "tests" / "gpu" / "test_parts_on_a_gpu.py"]
    else:
        words += ["-n", "6"]
    if python("pytest", words, setting, seconds, {0, 1}) is None or not written.exists():
        return False
    rows[:] = [
        {"test": case.get("name"), "seconds": float(case.get("time") or 0), **came_to(case)}
        for case in ElementTree.parse(written).iter("testcase")
    ]
    written.unlink()
    return True


def came_to(case: ElementTree.Element) -> dict[str, str]:
    for kind in ("failure", "error", "skipped"):
        if (found := case.find(kind)) is not None:
            return {"came to": kind, "why": (found.get("message") or "")[:200]}
    return {"came to": "passed"}


def measure_paper(backbone: str) -> Callable[[Setting, list[dict[str, Any]], float], bool]:
    """The paper's GPU preset on a backbone: bound, rounding and the figures of its music. Cut off, it is resumed."""

    def measure(setting: Setting, rows: list[dict[str, Any]], seconds: float) -> bool:
        run, file = setting.out / "paper" / backbone, ROOT / "examples" / "paper" / "gpu.json"
        if (run / "config.json").exists():
            words = ["run", "--resume", run]
        else:
            size = (
                "tiny" if setting.tiny else json.loads(file.read_text(encoding="utf-8"))["backbone"]["options"]["size"]
            )
            words = ["run", "--config", file, "--backbone", backbone, "-o", f"backbone.size={size}", "--out", run]
            words += ["--data", setting.data] if setting.data else []
            words += ["--no-renderer", "wav", "--no-renderer", "waveform"] if setting.tiny else []
            words += NOTHING if setting.tiny else ()
        if python("diffmidi_core", words, setting, seconds, {0}) is None:
            return False
        rows.clear()
        for figures in (*sorted(run.glob("figures/step-*.json")), run / "draws" / "1" / "figures.json"):
            found = json.loads(figures.read_text(encoding="utf-8"))["figures"]
            of = figures.stem if figures.parent.name == "figures" else "its music"
            named = {name: figure for name, figure in found.items() if figure}  # some have nothing to measure
            rows += [{"backbone": backbone, "of": of, "figure": name, **numbers(each)} for name, each in named.items()]
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        speeds = [line["steps_per_second"] for line in lines if line.get("steps_per_second")]
        if speeds:
            rows.append({"backbone": backbone, "of": "training", "figure": "steps/s at most", "value": max(speeds)})
        return True

    return measure


def numbers(figure: dict[str, Any]) -> dict[str, float]:
    """What it has of them: its value, what it is compared with, its error."""
    return {name: figure[name] for name in ("value", "reference", "error") if figure.get(name) is not None}


def python(module: str, words: list[Any], setting: Setting, seconds: float, ends: set[int]) -> int | None:
    """The exit code of a module's command, one of `ends`; None where it took longer, and was told to stop.

    Raises RuntimeError where it ends otherwise. A tiny one runs in this process, which has torch already.
    """
    asked = [str(word) for word in words]
    code = within(module, asked) if setting.tiny else beside(module, asked, seconds)
    if code is not None and code not in ends:
        raise RuntimeError(f"`python -m {module} {' '.join(asked)}` left with exit code {code}.")
    return code


def within(module: str, words: list[str]) -> int:
    before, sys.argv = sys.argv, [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    finally:
        sys.argv = before
    return 0


def beside(module: str, words: list[str], seconds: float) -> int | None:
    process = subprocess.Popen([sys.executable, "-m", module, *words], start_new_session=True)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return None
