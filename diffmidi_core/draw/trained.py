"""A trained model as something to draw from, whether it lies in a run's folder or in one that `export` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from diffmidi_core.config import RunConfig, SampleConfig
from diffmidi_core.contracts.process import Process
from diffmidi_core.draw.length import DataLengths
from diffmidi_core.draw.sample import restored
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.files import read_json
from diffmidi_core.registry import find
from diffmidi_core.run import checkpoint
from diffmidi_core.run.build import build_process, build_tokenizer
from diffmidi_core.run.folder import RunFolder

CONFIG, WEIGHTS, TOKENIZER, VOCAB = "config.json", checkpoint.MODEL, checkpoint.TOKENIZER, "vocab.txt"
"""What an exported folder holds; `TOKENIZER` is a folder, which only some tokenizers need."""
PARTS = ("tokenizer", "backbone", "schedule", "process", "sampler")
"""Kinds of parts that drawing needs."""
FORMAT = 1
"""Rises when an older diffmidi could not read what a newer one exports."""
_DRAWN_FROM = (*PARTS, "length", "precision", "sample")


@dataclass(frozen=True)
class Trained:
    """A process with averaged weights, on the CPU and in evaluation mode.

    Attributes:
        process: the model.
        config: what it is drawn from: its parts, `length`, `precision` and `sample`; the rest is as in any config.
        step: the iteration that its weights are of.
        lengths: of the music that it was trained on.
    """

    process: Process
    config: RunConfig
    step: int
    lengths: DataLengths


class ExportedPart(BaseModel):
    """A part, and the package that it needs."""

    name: str
    package: str
    version: str
    options: dict[str, Any]


class ExportedConfig(BaseModel):
    """config.json of an exported model."""

    library_name: Literal["diffmidi"]
    library_version: str
    format: int
    checkpoint: int
    tokenizer: ExportedPart
    tokenizer_fingerprint: str
    backbone: ExportedPart
    schedule: ExportedPart
    process: ExportedPart
    sampler: ExportedPart
    length: int
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    sample: SampleConfig
    lengths: DataLengths | None = None


def is_run(folder: Path) -> bool:
    """Whether it is the folder of a run that has begun to train."""
    return RunFolder(folder).checkpoints.is_dir()


def open_trained(folder: Path, which: checkpoint.Which = None) -> Trained:
    """The model of a run (`which` as `checkpoint.choose` takes it), or of an exported folder, which has only one.

    Raises DiffmidiError where the folder is neither, is damaged, or needs a part that is not installed.
    """
    if is_run(folder):
        return of_run(RunFolder.open(folder), which)
    if which is not None:
        raise UsageError(f"{folder} holds one model and no checkpoints to choose from: leave out the checkpoint.")
    return _exported(folder)


def of_run(folder: RunFolder, which: checkpoint.Which = None) -> Trained:
    """The model of a run, which needs neither its data nor the listeners, metrics and renderers that it had."""
    config = _config(read_json(folder.config_file), folder.config_file)
    path = checkpoint.choose(folder.checkpoints, which)
    process, step, lengths = restored(path, config, build_tokenizer(config, path / TOKENIZER))
    return Trained(process, config, step, lengths)


def _config(said: Any, file: Path) -> RunConfig:
    """A config of what drawing needs. It has a source, as every config has, from which nothing is read."""
    if not isinstance(said, Mapping):
        raise DiffmidiError(f"{file} does not hold one JSON object: it was not written by diffmidi.")
    needed = {name: said[name] for name in _DRAWN_FROM if name in said}
    try:
        return RunConfig.model_validate({"source": {"name": "none"}, **needed})
    except ValidationError as error:
        raise DiffmidiError(f"{file} is not the config of a run ({_first(error)}).") from None


def _first(error: ValidationError) -> str:
    mistake = error.errors()[0]
    return f"{'.'.join(map(str, mistake['loc'])) or 'all of it'}: {mistake['msg'].lower()}"


def _exported(folder: Path) -> Trained:
    about = _about(folder)
    parts = {kind: _part(kind, getattr(about, kind), folder) for kind in PARTS}
    config = _config(about.model_dump(mode="json") | parts, folder / CONFIG)
    tokenizer = build_tokenizer(config, folder / TOKENIZER)
    if tokenizer.fingerprint != about.tokenizer_fingerprint:
        part = about.tokenizer
        raise DiffmidiError(
            f"{folder} was exported with other words than tokenizer '{part.name}' has here "
            f"({find('tokenizer', config.tokenizer.name).origin}): install {part.package}=={part.version}."
        )
    if not (folder / WEIGHTS).is_file():
        raise DiffmidiError(f"there is no {WEIGHTS} in {folder}: export or fetch the model again.")
    process = build_process(config, tokenizer)
    checkpoint.load_weights(folder, process, averaged=False)
    lengths = about.lengths or DataLengths.read(None, length=tokenizer.grammar.longest(config.length))
    return Trained(process.eval(), config, about.checkpoint, lengths)


def _about(folder: Path) -> ExportedConfig:
    if not (folder / CONFIG).is_file():
        raise DiffmidiError(f"there is no model in {folder} (no {CONFIG}): name a run or a folder that was exported.")
    said = read_json(folder / CONFIG)
    if isinstance(said, dict) and isinstance(said.get("format"), int) and said["format"] > FORMAT:
        raise DiffmidiError(
            f"{folder} was exported by diffmidi {said.get('library_version')}, which is newer than this one: "
            "pip install --upgrade diffmidi."
        )
    try:
        return ExportedConfig.model_validate(said)
    except ValidationError as error:
        raise DiffmidiError(f"{folder / CONFIG} is not of a model that diffmidi exported ({_first(error)}).") from None


def _part(kind: str, part: ExportedPart, folder: Path) -> dict[str, Any]:
    """The part of that very package, whatever other packages offer under its name."""
    name = f"{part.package}:{part.name.rpartition(':')[2]}"
    try:
        find(kind, name)
    except UsageError:
        raise DiffmidiError(
            f"{folder} needs {kind} '{part.name}' of {part.package} {part.version}, which is not installed: "
            f"pip install {part.package}=={part.version}."
        ) from None
    return {"name": name, "options": part.options}
