"""A finished run, made by hand, and Chromium to open its report with."""

import json
import math
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest

from diffmidi_core.api import Notes, score_of, write_midi
from diffmidi_core.config import resolve
from diffmidi_core.files import write_json

from .browser import Browser

RATE = 48_000
FIGURE = {
    **{"value": 2.5, "unit": "bits per word", "count": 6, "of": "held-out windows", "error": 0.1, "note": ""},
    **{"interval": None, "reference": None, "reference_interval": None, "skipped": 0},
}


def tone(path: Path, seconds: float, *, channels: int = 2, rate: int = RATE, width: int = 2) -> None:
    """A .wav of 440 Hz at half of full scale."""
    wave_of = np.sin(2 * math.pi * 440 * np.arange(round(seconds * rate)) / rate) * 2**14
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.repeat(wave_of, channels).astype("<i2").tobytes())


def music(shift: int = 0):
    """Eight notes up from middle C, two a second."""
    steps = np.arange(8)
    return score_of(Notes(steps * 480, np.full(8, 400), 60 + shift + steps, 40 + 10 * steps))


def fill(folder: Path) -> Path:
    """What a run leaves behind: two samples, curves that part at iteration 400, figures of all forms."""
    (folder / "samples").mkdir(parents=True)
    write_json(folder / "config.json", resolve(flags={"train.lr": 2e-3}).model_dump(mode="json"))
    write_json(
        folder / "run.json",
        {
            "versions": {"diffmidi": "0.1.0", "torch": "2.13.0"},
            **{"python": "3.11.7", "machine": "Linux", "device": "cpu", "processes": 1, "precision": "fp32"},
            **{"parameters": 3_548_653, "iterations": 1000, "peak_memory_mb": 812.5},
            **{"epochs": 9.89, "transpose": 5},
            "data": {"kept": 409, "heldout": 22, "notes": 103_515, "words": 414_060},
        },
    )
    lines = [{"step": step, "loss": 0.6 * math.exp(-step / 200) + 0.05, "lr": 1e-3} for step in range(10, 1001, 10)]
    for step in range(0, 1001, 100):
        lines.append({"step": step, "heldout/bound_bpw": 3 + abs(step - 400) / 200, "train/bound_bpw": 5 - step / 400})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    figures = {
        "bound_bpw": {**FIGURE, "interval": [2.31, 2.69]},
        "rounding_bpw": {**FIGURE, "value": 5.9e-5, "note": "no likelihood of the music"},
        "bits_by_type/pitch": {**FIGURE, "value": 6.5},
        "bits_by_type/shift": {**FIGURE, "value": 2.0},
        "overlap_area/pitch_count": {**FIGURE, "value": 0.75, "unit": "of the area", "count": 2, "of": "samples"},
        "polyphony": {
            **{**FIGURE, "value": 3.25, "unit": "pitches", "count": 1, "of": "samples", "skipped": 1},
            **{"reference": 3.75, "reference_interval": [3.5, 4.0]},
        },
        "nothing": None,
    }
    nearest = {"originality": {"match": 3, "start": 2, "piece": 0, "note": 1}, "polyphony": {"sum": 1.0}}
    samples = {"sample-0-000": nearest, "sample-0-001": {}}
    write_json(folder / "figures.json", {"checkpoint": 400, "seed": 0, "figures": figures, "samples": samples})
    for number in range(2):
        path = folder / "samples" / f"sample-0-{number:03d}"
        write_midi(music(number), path.with_suffix(".mid"))
        tone(path.with_suffix(".wav"), 4.5)
        path.with_suffix(".txt").write_text("# checkpoint=400 sampler=ddpm\nt0 p60 v4 d12 t12 p61 v5 d12 [SEP]\n")
    return folder


@pytest.fixture
def finished(tmp_path) -> Path:
    return fill(tmp_path / "my run")


@pytest.fixture(scope="session")
def chromium():
    """Chromium without a window; one for all tests."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("Chromium is not installed, so that the report cannot be opened in it")
    browser = Browser(found)
    yield browser
    browser.close()
