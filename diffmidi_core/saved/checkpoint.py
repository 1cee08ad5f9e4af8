"""Checkpoints: a folder that is there whole or not at all, in safetensors and JSON; nothing in it is ever executed."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from diffmidi_core.checksums import digests
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import may_not_be_read, rename, sweep, whole_folder
from diffmidi_core.machine.deepspeed import fill_state, gathered_state, shares_out
from diffmidi_core.machine.sharding import is_sharded, part_like, whole
from diffmidi_core.saved.manifest import ANOTHER, MANIFEST, Manifest, checkpoint_at
from diffmidi_core.saved.manifest import Which as Which
from diffmidi_core.saved.manifest import choose as choose
from diffmidi_core.saved.manifest import steps as steps
from diffmidi_core.saved.tensor_file import check_size

if TYPE_CHECKING:
    from diffmidi_core.train.optimiser import Ema

MODEL, EMA, OPTIMISER = "model.safetensors", "ema.safetensors", "optimizer.safetensors"
TOKENIZER = "tokenizer"
MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW knows of each parameter, beside the number of its steps."""
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


def save(folder: Path, tensors: Tensors, tokenizer: Tokenizer, manifest: Manifest) -> Path:
    """Write what `gather` returned to its place below `folder` (`manifest.checkpoint_at`) and return that.

    The manifest's checksums of the written files are filled in. Raises DiffmidiError where they cannot be written, or
    where a weight is not a finite number.
    """
    path = checkpoint_at(folder, manifest.step)
    sweep(folder)
    with whole_folder(path) as temporary:
        for file in (MODEL, EMA):
            _check_finite(
                tensors[file],
                f"after iteration {manifest.step}, so no checkpoint is written: begin a new run with a lower "
                f"learning rate, from the checkpoint before: diffmidi run --from {folder.parent} --lr ..., or where "
                "there is none, from nothing.",
            )
        for file in (MODEL, EMA, OPTIMISER):
            write_tensors(tensors.get(file, {}), temporary / file)
        tokenizer.save(temporary / TOKENIZER)
        _described(manifest, tensors, temporary).write(temporary / MANIFEST)
    return path


def _described(manifest: Manifest, tensors: Tensors, folder: Path) -> Manifest:
    files = digests(folder)
    weights = hashlib.sha256(f"{files[MODEL]} {files[EMA]}".encode()).hexdigest()[:16]
    state = tensors.get(OPTIMISER, {})
    stateless = tuple(name for name in tensors[EMA] if f"{name}/step" not in state)
    training = manifest.training and manifest.training.model_copy(update={"stateless": stateless})
    return manifest.model_copy(update={"files": files, "weights": weights, "training": training})


def prune(folder: Path, keep: int, best: int | None = None) -> None:
    """Remove all checkpoints but the newest, the `best`, and the newest `keep` of the regular ones.

    Regular is what was saved at its time, and not because it was the best or because training was stopped. What cannot
    be read is left alone: opening it reports that.
    """
    known = {
        step: is_regular for step in steps(folder) if (is_regular := _regular(checkpoint_at(folder, step))) is not None
    }
    regular = [step for step, is_regular in known.items() if is_regular]
    for step in {*[*known][:-1]} - {*regular[-keep:], best}:
        # Renamed first: killed while it is removed, it must not look like a checkpoint any more.
        gone = folder / f".removing-{step}"
        # One that another program has open cannot go on Windows: the next checkpoint tries again.
        with contextlib.suppress(OSError):
            rename(checkpoint_at(folder, step), gone)
        shutil.rmtree(gone, ignore_errors=True)


def _regular(path: Path) -> bool | None:
    try:
        training = Manifest.read(path / MANIFEST).training
    except DiffmidiError:
        return None
    return training is None or training.regular


def opened(path: Path) -> Manifest:
    """The manifest of a checkpoint. Raises DiffmidiError where a file of it is missing, or not as it was written."""
    manifest = Manifest.read(path / MANIFEST)
    manifest.verify(path, (MODEL, EMA, OPTIMISER))
    return manifest


def check_tokenizer(manifest: Manifest, tokenizer: Tokenizer, path: Path) -> None:
    """Raises DiffmidiError where a checkpoint belongs to another tokenizer."""
    if manifest.tokenizer_fingerprint != tokenizer.fingerprint:
        raise DiffmidiError(
            f"{path} was trained with another tokenizer or other tokenizer options: "
            "sample and resume with the config it was trained with."
        )


def check_data(manifest: Manifest, dataset: TokenDataset) -> None:
    """Raises DiffmidiError where a checkpoint was trained on another token dataset than this one."""
    if manifest.training and manifest.training.data_fingerprint != dataset.fingerprint:
        raise DiffmidiError(
            f"the data of this run (fingerprint {dataset.fingerprint}) are not those that its checkpoint of iteration "
            f"{manifest.step} was trained on ({manifest.training.data_fingerprint}): put those back, or begin a new "
            "run."
        )


def load_averaged(path: Path, process: Process, *, remedy: str = ANOTHER) -> None:
    """Fill a process with a checkpoint's averaged weights; raises as `load_weights` does."""
    averages = _read(path / EMA, remedy)
    _compare(path / EMA, averages, {name: parameter.shape for name, parameter in process.named_parameters()}, remedy)
    load_weights(path / MODEL, process, over=averages, remedy=remedy)


def load_weights(file: Path, process: Process, *, over: dict[str, Tensor] | None = None, remedy: str = ANOTHER) -> None:
    """Fill a process with the weights of a file, and those `over` it.

    Raises DiffmidiError that names the first tensor which is missing, of another shape, or not finite.
    """
    own, tensors = process.state_dict(), _read(file, remedy)
    _compare(file, tensors, {name: tensor.shape for name, tensor in own.items()}, remedy)
    tensors |= over or {}
    _check_finite(tensors, f"in {file.parent}: {remedy}")
    process.load_state_dict({name: part_like(tensor, own[name]) for name, tensor in tensors.items()})


def load_training(
    path: Path,
    manifest: Manifest,
    process: Process,
    ema: Ema,
    optimiser: torch.optim.Optimizer,
    *,
    remedy: str = ANOTHER,
) -> None:
    """Fill everything that training goes on from.

    Raises DiffmidiError, which ends with the `remedy`, and names the first tensor which is missing, of another shape,
    or, of weights and averages, not finite.
    """
    shapes = {name: parameter.shape for name, parameter in process.named_parameters()}
    averages, state = _read(path / EMA, remedy), _read(path / OPTIMISER, remedy)
    _compare(path / EMA, averages, shapes, remedy)
    with_state = shapes.keys() - {*(manifest.training.stateless if manifest.training else ())}
    expected = {f"{name}/step": torch.Size() for name in shapes if name in with_state}
    expected |= {f"{name}/{key}": shapes[name] for name in shapes if name in with_state for key in MOMENTS}
    _compare(path / OPTIMISER, state, expected, remedy)
    load_weights(path / MODEL, process, remedy=remedy)
    _check_finite(averages, f"in {path / EMA}: {remedy}")
    ema.load(averages)
    if shares_out(optimiser):
        fill_state(process, optimiser, state)
        return
    filled = {
        index: {
            "step": state[f"{name}/step"],
            **{key: part_like(state[f"{name}/{key}"], parameter) for key in MOMENTS},
        }
        for index, (name, parameter) in enumerate(process.named_parameters())
        if name in with_state
    }
    optimiser.load_state_dict({"state": filled, "param_groups": optimiser.state_dict()["param_groups"]})


def _compare(
    file: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, torch.Size], remedy: str = ANOTHER
) -> None:
    for name, shape in expected.items():
        if name not in tensors:
            raise DiffmidiError(f"{file} does not hold {name}, which this model has: {remedy}")
        if tensors[name].shape != shape:
            raise DiffmidiError(
                f"{name} is {list(tensors[name].shape)} in {file}, and {list(shape)} in this model: {remedy}"
            )
    if more := tensors.keys() - expected.keys():
        raise DiffmidiError(f"{file} holds {min(more)}, which this model does not have: {remedy}")


def _check_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise DiffmidiError(f"{name} is not finite {where}")


def _optimiser_tensors(process: nn.Module, optimiser: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    if shares_out(optimiser):
        yield from gathered_state(process, optimiser)
        return
    states = optimiser.state_dict()["state"]
    names = [name for name, _ in process.named_parameters()]
    for index, state in states.items():
        for key, value in state.items():
            yield f"{names[index]}/{key}", torch.as_tensor(value)


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file. Raises OSError, whatever it is that cannot be done."""
    on_cpu = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        save_file(on_cpu, path, {"format": "pt"})
    except SafetensorError as error:  # what its Rust code makes of a full disk
        raise OSError(None, _short(error)) from error


def _read(path: Path, remedy: str = ANOTHER) -> dict[str, Tensor]:
    try:
        check_size(path, remedy)
        return load_file(path)
    except FileNotFoundError:
        raise DiffmidiError(f"{path} is missing: {path.parent} is not whole, so {remedy}") from None
    except PermissionError:
        raise may_not_be_read(path) from None
    except (SafetensorError, OSError, MemoryError) as error:
        raise DiffmidiError(f"{path} is damaged ({_short(error) or 'it is too large'}): {remedy}") from error


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
