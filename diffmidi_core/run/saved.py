"""Where models lie: the checkpoints of a run, and exported folders. Light: a model's manifest is read without torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.run.manifest import AGAIN, Manifest

MODEL, EMA, OPTIMISER, MANIFEST = "model.safetensors", "ema.safetensors", "optimizer.safetensors", "manifest.json"
TOKENIZER = "tokenizer"
_NAME = re.compile(r"step-(\d{6,})")
CONFIG, WEIGHTS, VOCAB = "config.json", MODEL, "vocab.txt"
"""What an exported folder holds beside `TOKENIZER`, a folder, which only some tokenizers need."""
Which = int | Literal["last", "best"] | None
"""A checkpoint: of a step, the last, or the best on held-out music; None: the best, the last where none is known."""


def path_of(folder: Path, step: int) -> Path:
    """The checkpoint of a step."""
    return folder / f"step-{step:06d}"


def is_run(folder: Path) -> bool:
    """Whether it is the folder of a run, trained or not, and not one that `export` wrote."""
    begun = (folder / CONFIG).is_file() and (folder / "data").is_dir() and not (folder / WEIGHTS).is_file()
    return begun or (folder / "checkpoints").is_dir()


def find_model(where: Path, which: Which = None) -> tuple[Path, Manifest]:
    """The folder that a model's tensors lie in, and its manifest: of a run's checkpoint, or of an exported folder.

    Raises DiffmidiError where there is none, or where the manifest is not as it was written.
    """
    if is_run(where):
        path = choose(where / "checkpoints", which)
        return path, Manifest.read(path / MANIFEST)
    if which is not None:
        raise UsageError(f"{where} holds one model and no checkpoints to choose from: leave out the checkpoint.")
    if not (where / CONFIG).is_file():
        raise DiffmidiError(f"there is no model in {where} (no {CONFIG}): name a run or a folder that was exported.")
    return where, Manifest.read(where / CONFIG, AGAIN)


def steps(folder: Path) -> list[int]:
    """The steps of all checkpoints, rising."""
    found = [_NAME.fullmatch(path.name) for path in folder.glob("step-*") if path.is_dir()]
    return sorted(int(match[1]) for match in found if match)


def choose(folder: Path, which: Which = None) -> Path:
    """The checkpoint of a step, "last" or "best" (the lowest held-out bound, as the newest manifest says).

    None is the best where one is known; a run without held-out music has none, and then the last is all there is.
    Raises DiffmidiError where there is no such checkpoint.
    """
    known = steps(folder)
    if not known:
        raise DiffmidiError(f"there is no checkpoint in {folder}: run `diffmidi train {folder.parent}` first.")
    if isinstance(which, int):
        step = which
    else:
        best = None if which == "last" else _best(path_of(folder, known[-1]))
        if best is None and which == "best":
            raise DiffmidiError(f"{folder} has no best checkpoint, as no held-out music was looked at: take the last.")
        step = known[-1] if best is None else best
    if step not in known:
        raise DiffmidiError(
            f"there is no checkpoint of step {step} in {folder}. There are: {', '.join(map(str, known))}."
        )
    return path_of(folder, step)


def _best(path: Path) -> int | None:
    training = Manifest.read(path / MANIFEST).training
    return training.best.step if training and training.best else None
