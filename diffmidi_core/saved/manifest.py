"""Manifest: what a saved model is, and the checksums of its files. The model opens from it, and from nothing else.

It is manifest.json in a checkpoint and config.json in an exported folder. A file that is not as it was written is
refused, and so is the manifest itself. Light: it is read before torch is imported.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from diffmidi_core import __version__
from diffmidi_core.checksums import sealed, verify
from diffmidi_core.classifiers import ClassifierOf
from diffmidi_core.config import RunConfig
from diffmidi_core.data.known_labels import KnownLabel
from diffmidi_core.errors import BrokenPluginError, DiffmidiError, UnreadableError, UsageError
from diffmidi_core.files import MOST_JSON, read_json, write_json
from diffmidi_core.installing import pip_install
from diffmidi_core.own import IMPORTED
from diffmidi_core.registry import find, offers, same
from diffmidi_core.saved.lengths import DataLengths
from diffmidi_core.saved.tensor_file import check_size
from diffmidi_core.saved.training import Training
from diffmidi_core.saved.typical import Typical
from diffmidi_core.sections import BARS, Part, SampleConfig
from diffmidi_core.wording import first_mistake, listed, printable

PARTS = ("tokenizer", "backbone", "schedule", "process")
"""Kinds of parts that a model is built from."""
SLOWEST, FASTEST = 4, 1_000_000
"""Tempi that are believed, in quarter notes a minute."""
FORMAT = 1
"""Rises when an older diffmidi could not read what a newer one writes."""
ANOTHER = "use another one of the same run (--checkpoint STEP), or remove its folder to go on from the one before."
AGAIN = "export or fetch the model again."
"""What to do about a damaged checkpoint, and about a damaged export."""
MANIFEST, CONFIG = "manifest.json", "config.json"
"""What it is called in a checkpoint, and in an exported folder."""
Which = int | Literal["last", "best"] | None
"""A step, the newest, the best; None: the best where one is known, else the newest."""
Tell = Callable[[str], object]
"""Told in a sentence what the user should know."""
_NAME = re.compile(r"step-(\d{6,})")


def _plausible(lengths: DataLengths) -> DataLengths:
    for name, values in (("windows", lengths.windows), ("pieces", lengths.pieces), ("bars", lengths.bars)):
        if list(values) != sorted(values) or min(values, default=1) < 1:
            raise ValueError(f"{name} are rising lengths of 1 or more")
    if not lengths.windows or (lengths.tokens_per_note is not None and lengths.tokens_per_note <= 0):
        raise ValueError("there are windows, and tokens to a note")
    return lengths


def _playable(typical: Typical) -> Typical:
    if typical.tempo is not None and not SLOWEST <= typical.tempo <= FASTEST:
        raise ValueError(f"a tempo is from {SLOWEST} to {FASTEST:,} quarter notes a minute")
    beats, value = typical.metre or (4, 4)
    if not 1 <= beats <= 255 or value not in (1, 2, 4, 8, 16, 32, 64, 128):
        raise ValueError("a metre is 1 to 255 beats of a note value")
    return typical


def _inside(files: dict[str, str]) -> dict[str, str]:
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(f"{name} is not a file of this folder")
    return files


class Manifest(BaseModel):
    """All that is needed to open a model and to draw from it.

    Attributes:
        step: the iteration that the weights are of.
        sampler, sample: how it draws unless it is asked otherwise.
        length, bars: tokens in a window, and bars at most, where its tokens are laid out in bars.
        lengths: of the music that it was trained on.
        typical: the tempo and the metre of that music, in which new pieces are played.
        labels: what it can be asked for.
        classifier: what it is a classifier of; None: it is a model.
        weights: names the weights; an export has that of its checkpoint.
        files: SHA-256 of every other file that the model opens from, by its path in the folder.
        training: what only a checkpoint has.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    library_name: Literal["diffmidi"] = "diffmidi"
    library_version: str = __version__
    format: int = FORMAT
    step: int = Field(ge=0)
    tokenizer: Part
    backbone: Part
    schedule: Part
    process: Part
    sampler: Part
    sample: SampleConfig
    length: int = Field(ge=1)
    bars: int = Field(BARS, ge=1)
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    tokenizer_fingerprint: str
    lengths: Annotated[DataLengths, AfterValidator(_plausible)]
    typical: Annotated[Typical, AfterValidator(_playable)] = Typical()
    labels: tuple[KnownLabel, ...] = ()
    classifier: ClassifierOf | None = None
    weights: str = ""
    files: Annotated[dict[str, str], AfterValidator(_inside)] = {}
    training: Training | None = None

    @classmethod
    def of(
        cls,
        config: RunConfig,
        step: int,
        tokenizer_fingerprint: str,
        lengths: DataLengths,
        typical: Typical,
        training: Training | None,
        labels: tuple[KnownLabel, ...] = (),
    ) -> Self:
        """Of what a run trains; the files are filled in when they are written."""
        return cls(
            step=step,
            tokenizer=config.tokenizer,
            backbone=config.backbone,
            schedule=config.schedule,
            process=config.process,
            sampler=config.sampler,
            sample=config.sample,
            length=config.length,
            bars=config.bars,
            precision=config.precision,
            tokenizer_fingerprint=tokenizer_fingerprint,
            lengths=lengths,
            typical=typical,
            training=training,
            labels=labels,
            classifier=config.classifier,
        )

    @classmethod
    def read(cls, file: Path, remedy: str = ANOTHER) -> Self:
        """Read one. Raises DiffmidiError, which ends with the `remedy`, unless it is as it was written."""
        try:
            content = read_json(file)
        except UnreadableError:
            raise
        except DiffmidiError as error:
            raise DiffmidiError(f"{str(error).rstrip('.')}: {remedy}") from None
        content = content if isinstance(content, dict) else {}
        if isinstance(content.get("format"), int) and content["format"] > FORMAT:
            raise DiffmidiError(
                f"{file} was written by diffmidi {content.get('library_version')}, which is newer than this one: "
                "pip install --upgrade diffmidi."
            )
        try:
            manifest = cls.model_validate(content)
        except ValidationError as error:
            mistake = first_mistake(error)
            raise DiffmidiError(f"{file} does not describe a diffmidi model ({mistake}): {remedy}") from None
        if content != sealed(content):
            raise DiffmidiError(f"{file} is damaged (it is not as it was written): {remedy}")
        return manifest

    def write(self, file: Path) -> None:
        """Write it, with a checksum of its own."""
        write_json(file, sealed(self.model_dump(mode="json")))

    def verify(self, folder: Path, needed: tuple[str, ...], remedy: str = ANOTHER) -> None:
        """Raises DiffmidiError that names a file which is missing, or is not as it was written."""
        for name in {*needed} - self.files.keys():
            raise DiffmidiError(f"{folder} does not hold {name}: it is not whole, so {remedy}")
        for name in self.files:
            if name.endswith(".safetensors"):
                check_size(folder / name, remedy)
            elif (folder / name).is_file() and (folder / name).stat().st_size > MOST_JSON:
                raise DiffmidiError(f"{folder / name} is damaged (it is larger than any such file): {remedy}")
        verify(folder, self.files, remedy)

    def check_installed(self, folder: Path) -> None:
        """Raises DiffmidiError that names the first part of the model which is not installed."""
        for kind in PARTS:
            part = self.part(kind)
            try:
                find(kind, part.spec)
            except UsageError as error:
                if isinstance(error, BrokenPluginError):
                    raise
                if part.version == IMPORTED:
                    module = printable(part.package)
                    raise DiffmidiError(
                        f"{folder} needs {kind} '{printable(part.name)}' of the module {module}, whose code is not "
                        f"saved with it: name it (diffmidi --import {module}.py ...), or import it in your program."
                    ) from error
                command = pip_install(part.package, part.version)
                where = f": {command}" if command else ""
                raise DiffmidiError(
                    f"{folder} needs {kind} '{printable(part.name)}' of {printable(part.package)} "
                    f"{printable(part.version)}, which is not installed{_instead(kind, part)}{where}."
                ) from error

    def differences(self) -> str:
        """Of which parts another version is installed than the model was made with, as a sentence's end."""
        return "".join(
            f"; it was made with {kind} '{part.label}' of {part.package} {part.version}, and {offer.version} is here"
            for kind in PARTS
            if (part := self.part(kind)).version != (offer := find(kind, part.spec)).version
        )

    def part(self, kind: str) -> Part:
        """The part of a kind."""
        part: Part = getattr(self, kind)
        return part


def _instead(kind: str, part: Part) -> str:
    """What another version of the part's package has of its kind, in brackets: it may have been renamed."""
    here = [offer for offer in offers(kind) if part.package and same(offer.package, part.package)]
    return f" ({here[0].origin} is, with {listed([offer.name for offer in here])})" if here else ""


def steps(folder: Path) -> list[int]:
    """The steps of all checkpoints in a folder, rising."""
    names = [_NAME.fullmatch(path.name) for path in folder.glob("step-*") if path.is_dir()]
    return sorted(int(match[1]) for match in names if match)


def checkpoint_at(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies among others."""
    return folder / f"step-{step:06d}"


def choose(folder: Path, which: Which = None, tell: Tell = warnings.warn) -> Path:
    """The checkpoint of a step, "last" or "best" (the lowest held-out bound, as the newest manifest says).

    None is the best where one is known; a run without held-out music has none, and then the last is all there is. So it
    is where the best is not there any more, since newer checkpoints that made it superfluous were removed; `tell` is
    told so. Raises DiffmidiError where there is no such checkpoint.
    """
    known = steps(folder)
    if not known:
        raise DiffmidiError(f"there is no checkpoint in {folder}: run `diffmidi train {folder.parent}` first.")
    there = f"There are: {', '.join(map(str, known))}."
    if isinstance(which, int):
        if which not in known:
            raise DiffmidiError(f"there is no checkpoint of step {which} in {folder}. {there}")
        return checkpoint_at(folder, which)
    best = None if which == "last" else _best(checkpoint_at(folder, known[-1]))
    if best in known:
        return checkpoint_at(folder, best)
    gone = f"the best checkpoint of {folder.parent}, of step {best}, is not there any more"
    if which == "best":
        if best is None:
            gone = f"{folder} has no best checkpoint, as no validation pass was made"
        raise DiffmidiError(f"{gone}: take the newest, by --checkpoint last. {there}")
    if best is not None:
        tell(f"{gone}, so the newest is taken, of step {known[-1]}.")
    return checkpoint_at(folder, known[-1])


def _best(path: Path) -> int | None:
    training = Manifest.read(path / MANIFEST).training
    return training.best.step if training and training.best else None


def is_run(folder: Path) -> bool:
    """Whether it is the folder of a run, trained or not, and not one that `export` wrote."""
    return any((folder / name).is_dir() for name in ("checkpoints", "data", "data.partial"))


def model_folder(folder: Path, which: Which = None, tell: Tell = warnings.warn) -> Path:
    """Where the files of a model lie: a checkpoint of a run, as `choose` takes it, or an exported folder itself.

    Raises DiffmidiError where there is no model, UsageError where there is nothing to choose from.
    """
    if is_run(folder):
        return choose(folder / "checkpoints", which, tell)
    if which is not None:
        raise UsageError(f"{folder} holds one model and no checkpoints to choose from: leave out the checkpoint.")
    if not (folder / CONFIG).is_file():
        raise DiffmidiError(f"there is no model in {folder} (no {CONFIG}): name a run or a folder that was exported.")
    return folder


def read_model(folder: Path, which: Which = None, tell: Tell = warnings.warn) -> Manifest:
    """What a model is that `open_model` would open, without opening its tensors; raises what can be told so early."""
    where = model_folder(folder, which, tell)
    manifest = Manifest.read(where / MANIFEST) if is_run(folder) else Manifest.read(where / CONFIG, AGAIN)
    manifest.check_installed(where)
    return manifest
