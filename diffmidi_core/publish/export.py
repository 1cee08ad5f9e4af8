"""export: a run's model as a folder that others can open: config.json, model.safetensors, tokenizer, model card."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import get_args

import torch
from pydantic.fields import FieldInfo
from torch import Tensor

from diffmidi_core.checksums import digests
from diffmidi_core.contracts.process import Process
from diffmidi_core.declaration import UserPath
from diffmidi_core.draw.model import CONFIG, TOKENIZER, VOCAB, WEIGHTS, Model, open_model
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import whole_folder
from diffmidi_core.judge.judged import Judged, StoredFigure
from diffmidi_core.publish.card import CARD, write_card
from diffmidi_core.publish.elsewhere import FILE, write_backbone
from diffmidi_core.registry import find
from diffmidi_core.saved import checkpoint
from diffmidi_core.saved.draw import WHILE_TRAINING, DrawFolder, PieceRecord
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.saved.manifest import AGAIN, Manifest, Tell
from diffmidi_core.sections import Part

SAMPLE = "sample"
"""What the files of the sample beside the card are called, before their suffixes."""
SHOWN = {"music": ".mid", "sound": ".wav", "picture": ".png"}
"""Which files of a sample there are, and their suffixes."""
HALVED = "-fp16"
"""What the name of weights ends in that were stored in 16 bits."""
MOST_SOUND = 8 * 2**20
"""Bytes of the sample's sound; longer sound is left out, since the Hub shows a card and is no place to keep music."""


def export(
    run: RunFolder,
    to: Path,
    *,
    which: checkpoint.Which = None,
    license: str | None = None,
    name: str | None = None,
    half: bool = False,
    steps: int | None = None,
    assignments: Sequence[str] = (),
    tell: Tell = warnings.warn,
) -> Path:
    """Write the averaged weights of a checkpoint and all that is needed to draw from them into a new folder.

    Args:
        run: what was trained.
        to: the new folder, there whole or not at all.
        which: the checkpoint, as `checkpoint.choose` takes it.
        license: of the music that it was trained on, as the Hub spells it; it stands on the card.
        name: what the card tells others to load it by; by default its place is left open.
        half: store the weights in 16 bits (fp16): half as large, and no longer those of the checkpoint to the bit. They
            are computed with as any others.
        steps, assignments: in how many it draws unless it is asked otherwise, and options of its sampler, as
            `sampler.option=value` texts; by default as the run does.
        tell: told where another checkpoint than the best is taken.

    Raises DiffmidiError where `to` holds something already, since nothing is ever overwritten, and where a part is
    built from files that the new folder would not have; UsageError where the sampler has no such option.
    """
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise DiffmidiError(f"{to} is there already: choose another --to, or remove it first.")
    model = open_model(run.path, which, tell)
    _check_portable(model.parts)
    process, request = model.process, model.request({}, assignments)
    with whole_folder(to) as temporary:
        settings = model.manifest.sample.model_copy(update={} if steps is None else {"steps": steps})
        drawing = {"sample": settings, "sampler": request.sampler}
        about = write_model(temporary, process, model.manifest.model_copy(update=drawing), half=half)
        # The card and its sample are no part of the model: whoever publishes it may edit them.
        draw = _draw_of(run, model)
        elsewhere = write_backbone(temporary, process)
        write_card(
            temporary,
            run,
            about,
            parameters=_count(process),
            figures=_figures(run, model, draw),
            shown=_one_sample(draw, temporary) if draw else {},
            elsewhere=elsewhere,
            license=license,
            name=name,
        )
    return to


def write_model(folder: Path, process: Process, about: Manifest, *, half: bool = False) -> Manifest:
    """Write what a model opens from into a folder: weights, tokenizer, vocabulary, and the manifest, which is returned.

    Raises DiffmidiError where a weight cannot be told in 16 bits.
    """
    tensors = process.state_dict()
    checkpoint.write_tensors(_halved(tensors) if half else tensors, folder / WEIGHTS)
    process.tokenizer.save(folder / TOKENIZER)
    (folder / VOCAB).write_text("".join(f"{token}\n" for token in process.tokenizer.vocab), encoding="utf-8")
    # Other weights have another name: a draw that was begun with the one goes on with no other.
    weights = f"{about.weights}{HALVED if half else ''}"
    written = about.model_copy(update={"files": digests(folder), "training": None, "weights": weights})
    written.write(folder / CONFIG)
    return written


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Numbers of single precision in half precision; all others as they are."""
    halved = {name: value.half() if value.dtype == torch.float32 else value for name, value in tensors.items()}
    if lost := [name for name, value in halved.items() if value.is_floating_point() and not value.isfinite().all()]:
        raise DiffmidiError(f"{lost[0]} is too large for 16 bits: export the model without --half.")
    return halved


def written_files(folder: Path) -> list[str]:
    """The files of an exported folder that `export` wrote, as far as they are there, by their paths in it.

    Those of the model are as its config.json lists them, with their checksums; its card and the sample may have been
    edited since. Raises DiffmidiError where one is a link, or lies behind one, or is not as it was written.
    """
    about = Manifest.read(folder / CONFIG, AGAIN)
    beside = (CARD, FILE, *(f"{SAMPLE}{suffix}" for suffix in SHOWN.values()))
    names = sorted({CONFIG, *about.files, *(name for name in beside if os.path.lexists(folder / name))})
    for name in about.files:
        if name not in (WEIGHTS, VOCAB) and not name.startswith(f"{TOKENIZER}/"):
            raise DiffmidiError(f"{folder / CONFIG} lists {name}, which is no file of a model: {AGAIN}")
    for name in names:
        way = [folder / name, *(folder / above for above in PurePosixPath(name).parents if above.name)]
        if links := [path for path in way if path.is_symlink()]:
            raise DiffmidiError(
                f"{links[0]} is a link, and what it leads to is not published: export the model again, or put a copy "
                "of the file in its place."
            )
    about.verify(folder, (WEIGHTS,), AGAIN)
    return names


def _check_portable(parts: Mapping[str, Part]) -> None:
    """A tokenizer saves its own files; of other parts an option that is a path would not be found elsewhere."""
    for kind, part in parts.items():
        if kind == "tokenizer":
            continue
        options = find(kind, part.spec).options(part.options)
        for name, field in type(options).model_fields.items():
            if _is_path(field) and (value := getattr(options, name)) is not None:
                raise DiffmidiError(
                    f"this model cannot be exported: {kind}.{name} is {value}, and elsewhere it could not be built "
                    "without that."
                )


def _is_path(field: FieldInfo) -> bool:
    kinds = (field.annotation, *get_args(field.annotation))
    # Of a field that is a UserPath and nothing else pydantic keeps what makes it one beside its type.
    return UserPath in kinds or Path in kinds or any(mark in field.metadata for mark in get_args(UserPath)[1:])


def _count(process: Process) -> int:
    return sum(parameter.numel() for parameter in process.parameters())


def _draw_of(run: RunFolder, model: Model) -> DrawFolder | None:
    """The newest draw that these weights made because somebody asked for it."""
    for draw in DrawFolder.all(run.draws):
        by_itself = draw.path.name.startswith(WHILE_TRAINING)
        if not by_itself and draw.request().model.fingerprint == model.fingerprint:
            return draw
    return None


def _one_sample(draw: DrawFolder, to: Path) -> dict[str, str]:
    """Copy the first piece of a draw: "music", "sound" and "picture", as far as they are there.

    A link is none of them, as it may lead to anything.
    """
    stem = PieceRecord(number=1, notes=0, record={}, tokens=[]).stem
    pictures = sorted(draw.path.glob(f"{stem}.*png"))
    found = {"music": draw.path / f"{stem}.mid", "sound": draw.path / f"{stem}.wav"}
    found |= {"picture": pictures[0]} if pictures else {}
    shown: dict[str, str] = {}
    for what, file_path in found.items():
        if file_path.is_symlink():
            continue
        if file_path.is_file() and (what != "sound" or file_path.stat().st_size <= MOST_SOUND):
            shown[what] = f"{SAMPLE}{SHOWN[what]}"
            shutil.copyfile(file_path, to / shown[what])
    return shown


def _figures(run: RunFolder, model: Model, draw: DrawFolder | None) -> dict[str, StoredFigure]:
    """What was measured of these weights, and of the draw. Raises DiffmidiError where it cannot be read."""
    file = run.figures / f"step-{model.step:06d}.json"
    measured = Judged.of_checkpoint(file) if file.exists() else None
    found = dict(measured.known) if measured and measured.weights == model.fingerprint else {}
    music = Judged.of_draw(draw) if draw else None
    return {**found, **(music.known if music else {})}
