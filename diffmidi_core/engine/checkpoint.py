"""Checkpoints: a folder that is there whole or not at all, in safetensors and JSON; nothing in it is ever executed."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.engine.deepspeed import fill_state, gathered_state, shares_out
from diffmidi_core.engine.optimiser import Ema
from diffmidi_core.engine.sharding import is_sharded, part_like, whole
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import read_json, rename, whole_folder, write_json

MODEL, EMA, OPTIMISER, MANIFEST = "model.safetensors", "ema.safetensors", "optimizer.safetensors", "manifest.json"
TOKENIZER = "tokenizer"
_NAME = re.compile(r"step-(\d{6,})")
_LEFT = (".writing-", ".removing-")
"""How the names of folders begin that are being written or removed (files.py)."""
_ANOTHER = "use another one of the same run (--checkpoint STEP), or remove its folder to go on from the one before."
Which = int | Literal["last", "best"] | None
Tensors = dict[str, dict[str, Tensor]]
"""By file and name."""


def gather(process: Process, ema: Ema, optimiser: torch.optim.Optimizer, *, keep: bool = True) -> Tensors:
    """All that training goes on from, whole, by the file that it goes into.

    Where the model is sharded every process must call it, and only one that is to `keep` the tensors gets them, on the
    CPU. Else they are those of the model itself.
    """
    parts = {
        MODEL: process.state_dict().items(),
        EMA: ema.average.items(),
        OPTIMISER: _optimiser_tensors(process, optimiser),
    }
    gathered: Tensors = {}
    for file, tensors in parts.items():
        for name, tensor in tensors:
            value = whole(tensor)
            if keep:
                gathered.setdefault(file, {})[name] = value.cpu() if is_sharded(tensor) else value
    return gathered


def save(folder: Path, step: int, tensors: Tensors, tokenizer: Tokenizer, manifest: dict[str, Any]) -> Path:
    """Write what `gather` returned to `folder/step-NNNNNN` and return its path.

    Raises DiffmidiError where it cannot be written, or where a weight is not a finite number.
    """
    path = _path(folder, step)
    _sweep(folder)
    with whole_folder(path) as temporary:
        for file in (MODEL, EMA):
            _check_finite(tensors[file], step)
        for file in (MODEL, EMA, OPTIMISER):
            _write(tensors.get(file, {}), temporary / file)
        tokenizer.save(temporary / TOKENIZER)
        write_json(temporary / MANIFEST, {"step": step, **manifest})
    return path


def steps(folder: Path) -> list[int]:
    """The steps of all whole checkpoints, rising."""
    found = [_NAME.fullmatch(path.parent.name) for path in folder.glob(f"*/{MANIFEST}")]
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
        best = None if which == "last" else read_json(_path(folder, known[-1]) / MANIFEST).get("best")
        if best is None and which == "best":
            raise DiffmidiError(f"{folder} has no best checkpoint, as no held-out music was looked at: take the last.")
        step = known[-1] if best is None else int(best["step"])
    if step not in known:
        raise DiffmidiError(
            f"there is no checkpoint of step {step} in {folder}. There are: {', '.join(map(str, known))}."
        )
    return _path(folder, step)


def prune(folder: Path, keep: int, best: int | None = None) -> None:
    """Remove all checkpoints but the newest, the `best`, and the newest `keep` of the regular ones.

    Regular is what was saved at its time, and not because it was the best or because training was stopped.
    """
    known = steps(folder)
    regular = [step for step in known if read_json(_path(folder, step) / MANIFEST).get("regular", True)]
    for step in {*known[:-1]} - {*regular[-keep:], best}:
        # Renamed first: killed while it is removed, it must not look like a checkpoint any more.
        gone = folder / f"{_LEFT[1]}{step}"
        # One that another program has open cannot go on Windows: the next checkpoint tries again.
        with contextlib.suppress(OSError):
            rename(_path(folder, step), gone)
        shutil.rmtree(gone, ignore_errors=True)


def load_manifest(path: Path, process: Process) -> dict[str, Any]:
    """The manifest of a checkpoint. Raises DiffmidiError where it belongs to another tokenizer."""
    manifest: dict[str, Any] = read_json(path / MANIFEST)
    if not (isinstance(manifest, dict) and isinstance(manifest.get("step"), int)):
        raise DiffmidiError(f"{path / MANIFEST} is not a checkpoint's manifest: {_ANOTHER}")
    if manifest.get("tokenizer_fingerprint") != process.tokenizer.fingerprint:
        raise DiffmidiError(
            f"{path} was trained with another tokenizer or other tokenizer options: "
            "sample and resume with the config it was trained with."
        )
    return manifest


def load_weights(path: Path, process: Process, *, averaged: bool) -> None:
    """Fill a process with a checkpoint's weights, averaged or as they were trained."""
    tensors = _read(path / MODEL)
    if averaged:
        tensors |= _read(path / EMA)
    _fill(process, tensors, path)


def load_training(path: Path, process: Process, ema: Ema, optimiser: torch.optim.Optimizer) -> None:
    """Fill everything that training goes on from."""
    load_weights(path, process, averaged=False)
    averages = _read(path / EMA)
    saved = _read(path / OPTIMISER)
    parameters = dict(process.named_parameters())
    try:
        ema.load(averages)
        if shares_out(optimiser):
            fill_state(process, optimiser, saved)
            return
        state = {
            index: {
                "step": saved[f"{name}/step"],
                **{key: part_like(saved[f"{name}/{key}"], parameter) for key in ("exp_avg", "exp_avg_sq")},
            }
            for index, (name, parameter) in enumerate(parameters.items())
            if f"{name}/step" in saved
        }
    except (KeyError, RuntimeError) as error:
        raise _misfit(path, error) from error
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _sweep(folder: Path) -> None:
    """Remove what killed processes left half-written, or half-removed."""
    for start in _LEFT:
        for path in folder.glob(f"{start}*"):
            shutil.rmtree(path, ignore_errors=True)


def _check_finite(tensors: dict[str, Tensor], step: int) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise DiffmidiError(
                f"{name} is not finite after iteration {step}, so no checkpoint is written: lower the learning rate "
                "(--lr) and go on from the checkpoint before with --resume."
            )


def _path(folder: Path, step: int) -> Path:
    return folder / f"step-{step:06d}"


def _optimiser_tensors(process: nn.Module, optimiser: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    if shares_out(optimiser):
        yield from gathered_state(process, optimiser)
        return
    states = optimiser.state_dict()["state"]
    names = [name for name, _ in process.named_parameters()]
    for index, state in states.items():
        for key, value in state.items():
            yield f"{names[index]}/{key}", torch.as_tensor(value)


def _fill(process: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    own = process.state_dict()
    try:
        process.load_state_dict(
            {name: part_like(tensor, own[name]) if name in own else tensor for name, tensor in tensors.items()}
        )
    except RuntimeError as error:
        raise _misfit(path, error) from error


def _misfit(path: Path, error: BaseException) -> DiffmidiError:
    return DiffmidiError(f"{path} does not fit this model ({_short(error)}): was it trained with other options?")


def _write(tensors: dict[str, Tensor], path: Path) -> None:
    on_cpu = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        save_file(on_cpu, path)
    except SafetensorError as error:  # what its Rust code makes of a full disk
        raise OSError(None, _short(error)) from error


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise DiffmidiError(f"{path} is missing: the checkpoint is not whole. {_ANOTHER.capitalize()}") from None
    except (SafetensorError, OSError) as error:
        raise DiffmidiError(f"{path} is damaged ({_short(error)}): {_ANOTHER}") from error


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
