"""Tests that need a GPU. Without one each is skipped by name; DIFFMIDI_TEST_DEVICE=cpu rehearses them on the CPU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of

DEVICE = os.environ.get("DIFFMIDI_TEST_DEVICE") or ("cuda" if torch.cuda.is_available() else "")
if DEVICE == "cuda":
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for once, by the first product
MODEL = (
    *("--iterations", "6", "--batch-size", "4", "--length", "32", "--process", "masked"),
    *("-o", "backbone.size=tiny", "-o", "train.warmup=0", "-o", "train.log_every=1", "-o", "train.save_every=3"),
    *("-o", "train.evaluate_every=1000", "-o", "backbone.dropout=0", "-o", "tokenizer.layout=aligned"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("gpu") is None:
            continue
        if not DEVICE:
            item.add_marker(pytest.mark.skip(reason=f"no GPU for {item.name}"))
        elif DEVICE == "cpu" and item.get_closest_marker("gpu").kwargs.get("alone"):
            item.add_marker(pytest.mark.skip(reason=f"not rehearsed on a CPU: {item.name}"))


@pytest.fixture(scope="session")
def device() -> torch.device:
    return torch.device(DEVICE)


def begun(words, folder: Path, **environment: str) -> subprocess.Popen:
    """A Python process."""
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(words, folder: Path, **environment: str) -> None:
    """One that ends well."""
    process = begun(words, folder, **environment)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """The folder of a run that has its data and is not trained."""
    folder = tmp_path_factory.mktemp("gpu")
    (folder / "music").mkdir()
    for seed in range(8):
        pitch = 60 + np.tile([0, 4, 7, 12], 16) + np.repeat(np.random.default_rng(seed).integers(-5, 6, 16), 4)
        notes = Notes(np.arange(64) * 240, np.full(64, 240), pitch, np.full(64, 80))
        write_midi(score_of(notes), folder / "music" / f"{seed}.mid")
    done(["-m", "diffmidi_core", "prepare", "music", "--out", "prepared"], folder)
    return folder / "prepared"


@pytest.fixture(scope="session")
def trained(prepared):
    """Trains a copy of the prepared run by name, or a `copy_of` another from its third iteration on; gives its folder.

    `start` are the words that come before those of `diffmidi`.
    """

    def train(name, *words, copy_of=None, start=("-m", "diffmidi_core")) -> Path:
        run = prepared.parent / name
        if run.exists():
            return run
        shutil.copytree(copy_of or prepared, run)
        if copy_of:
            shutil.rmtree(run / "checkpoints" / "step-000006")
        done([*start, "train", name, *(("--resume",) if copy_of else MODEL), *words], run.parent)
        return run

    return train
