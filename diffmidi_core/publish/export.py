"""export: a run's model as a folder that others can open: config.json, model.safetensors, tokenizer, model card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from diffmidi_core.contracts.process import Process
from diffmidi_core.draw.model import CONFIG, TOKENIZER, VOCAB, WEIGHTS, open_model
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import whole_folder
from diffmidi_core.publish.card import write_card
from diffmidi_core.registry import find
from diffmidi_core.run import checkpoint
from diffmidi_core.run.folder import RunFolder
from diffmidi_core.run.manifest import digests
from diffmidi_core.sections import Part

MOST_SOUND = 8 * 2**20
"""Bytes of the sample's sound; longer sound is left out, since the Hub shows a card and is no place to keep music."""


def export(
    run: RunFolder, to: Path, *, which: checkpoint.Which = None, license: str | None = None, name: str | None = None
) -> Path:
    """Write the averaged weights of a checkpoint and all that is needed to draw from them into a new folder.

    Args:
        run: what was trained.
        to: the new folder, there whole or not at all.
        which: the checkpoint, as `checkpoint.choose` takes it.
        license: of the music that it was trained on, as the Hub spells it; it stands on the card.
        name: what the card tells others to load it by; by default its place is left open.

    Raises DiffmidiError where `to` holds something already, since nothing is ever overwritten, and where a part is
    built from files that the new folder would not have.
    """
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise DiffmidiError(f"{to} is there already: choose another --to, or remove it first.")
    model = open_model(run.path, which)
    _check_portable(model.parts)
    process = model.process
    with whole_folder(to) as temporary:
        checkpoint.write_tensors(process.state_dict(), temporary / WEIGHTS)
        process.tokenizer.save(temporary / TOKENIZER)
        (temporary / VOCAB).write_text("".join(f"{word}\n" for word in process.tokenizer.vocab), encoding="utf-8")
        about = model.manifest.model_copy(update={"files": digests(temporary), "training": None})
        about.write(temporary / CONFIG)
        # The card and its sample are no part of the model: whoever publishes it may edit them.
        shown = _one_sample(run, model.step, temporary)
        write_card(temporary, run, about, parameters=_count(process), shown=shown, license=license, name=name)
    return to


def _check_portable(parts: Mapping[str, Part]) -> None:
    """A tokenizer saves its own files; of other parts an option that is a path would not be found elsewhere."""
    for kind, part in parts.items():
        for name, value in () if kind == "tokenizer" else find(kind, part.spec).options(part.options):
            if isinstance(value, Path):
                raise DiffmidiError(
                    f"this model cannot be exported: {kind}.{name} is {value}, and elsewhere it could not be built "
                    "without that."
                )


def _count(process: Process) -> int:
    return sum(each.numel() for each in process.parameters())


def _one_sample(run: RunFolder, step: int, to: Path) -> dict[str, str]:
    """Copy the first sample that this checkpoint drew: "music", "sound" and "picture", as far as they are there."""
    drawn = f"checkpoint={step} "
    for words in sorted(run.samples.glob("*.txt")):
        with words.open(encoding="utf-8", errors="replace") as file:
            if drawn in file.readline():
                break
    else:
        return {}
    pictures = sorted(words.parent.glob(f"{words.stem}.*png"))
    found = {"music": words.with_suffix(".mid"), "sound": words.with_suffix(".wav")}
    found |= {"picture": pictures[0]} if pictures else {}
    shown: dict[str, str] = {}
    for what, file_path in found.items():
        if file_path.is_file() and (what != "sound" or file_path.stat().st_size <= MOST_SOUND):
            shown[what] = f"sample{file_path.suffix}"
            shutil.copyfile(file_path, to / shown[what])
    return shown
