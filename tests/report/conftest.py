"""A finished run, made by hand, and Chromium to open its report with."""

import json
import math
import shutil
import wave
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.config import resolve
from diffmidi_core.files import write_json
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import DrawFolder, ModelReference, PieceRecord, StoredRequest
from diffmidi_core.sections import Part

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


TOKENS = ["t0", "p60", "v4", "d12", "t12", "p61", "v5", "d12"]
SAMPLER = Part(name="confidence", package="diffmidi", options={"temperature": 0.9})


def leave_draw(run: Path, name: str, *, hour: int = 0, step: int = 400, count: int = 2, **asked) -> DrawFolder:
    """What `sample` leaves behind: pieces, their sound, and what was asked."""
    draw = DrawFolder(run / "draws" / name)
    request = Request(**{"count": count, "steps": 20, "length": "8 bars", "sampler": SAMPLER, **asked})
    model = ModelReference(path=str(run.resolve()), step=step, fingerprint=f"weights of {step}")
    stored = StoredRequest(at=datetime(2026, 7, 1, hour, tzinfo=UTC), model=model, request=request)
    write_json(draw.request_file, stored.model_dump(mode="json"))
    for number in range(count):
        piece = PieceRecord(number=number + 1, notes=8, record={}, tokens=TOKENS)
        write_midi(music(number), draw.path / f"{piece.stem}.mid")
        tone(draw.path / f"{piece.stem}.wav", 4.5)
        draw.add(piece)
    return draw


def fill(folder: Path) -> Path:
    """What a run leaves behind: a draw of two pieces, curves that part at iteration 400, figures of all forms."""
    folder.mkdir(parents=True)
    write_json(folder / "config.json", resolve(flags={"train.lr": 2e-3}).model_dump(mode="json"))
    write_json(
        folder / "run.json",
        {
            "versions": {"diffmidi": "0.1.0", "torch": "2.13.0"},
            **{"python": "3.11.7", "machine": "Linux", "device": "cpu", "processes": 1, "precision": "fp32"},
            **{"parameters": 3_548_653, "iterations": 1000, "peak_memory_mb": 812.5},
            **{"epochs": 9.89, "transpose": 5},
            "data": {"kept": 409, "heldout": 22, "test": 41, "notes": 103_515, "words": 414_060},
        },
    )
    lines = [{"step": step, "loss": 0.6 * math.exp(-step / 200) + 0.05, "lr": 1e-3} for step in range(10, 1001, 10)]
    for step in range(0, 1001, 100):
        lines.append({"step": step, "heldout/bound_bpw": 3 + abs(step - 400) / 200, "train/bound_bpw": 5 - step / 400})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    likelihood = {
        "bound_bpw": {**FIGURE, "interval": [2.31, 2.69]},
        "rounding_bpw": {**FIGURE, "value": 6.04e-6, "note": "no likelihood of the music"},
        "bits_by_type/pitch": {**FIGURE, "value": 6.5},
        "bits_by_type/shift": {**FIGURE, "value": 2.0},
        "nothing": None,
    }
    of_music = {
        "overlap_area/pitch_count": {**FIGURE, "value": 0.75, "unit": "of the area", "count": 2, "of": "samples"},
        "polyphony": {
            **{**FIGURE, "value": 3.25, "unit": "pitches", "count": 1, "of": "samples", "skipped": 1},
            **{"reference": 3.75, "reference_interval": [3.5, 4.0]},
        },
    }
    judge(folder, likelihood)
    draw = leave_draw(folder, "1")
    nearest = {"originality": {"match": 3, "start": 2, "piece": 0, "note": 1}, "polyphony": {"sum": 1.0}}
    judge_draw(draw, of_music, {"001": nearest, "002": {}})
    return folder


def judge(run: Path, figures, *, step: int = 400, other: str = "", split: str = "test") -> None:
    """What `evaluate` leaves behind of a checkpoint."""
    judged = {"checkpoint": step, "weights": f"weights of {step}", "split": split, "windows": 6, "figures": figures}
    write_json(run / "figures" / f"step-{step:06d}{other and '.'}{other}.json", judged)


def judge_draw(draw: DrawFolder, figures, pieces=None) -> None:
    """What `evaluate` leaves behind of a draw."""
    write_json(draw.figures_file, {"split": "test", "windows": 6, "figures": figures, "pieces": pieces or {}})


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
