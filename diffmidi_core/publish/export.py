"""export: a run's model as a folder that others can open: config.json, model.safetensors, tokenizer, model card."""

from __future__ import annotations

import shutil
from pathlib import Path

from safetensors.torch import save_file

from diffmidi_core import __version__
from diffmidi_core.config import Part, RunConfig
from diffmidi_core.contracts.process import Process
from diffmidi_core.draw.trained import CONFIG, FORMAT, PARTS, TOKENIZER, VOCAB, WEIGHTS, ExportedConfig, of_run
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import whole_file, whole_folder, write_json
from diffmidi_core.publish.card import write_card
from diffmidi_core.registry import find
from diffmidi_core.run import checkpoint
from diffmidi_core.run.build import describe_parts
from diffmidi_core.run.folder import RunFolder

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
    trained = of_run(run, which)
    _check_portable(trained.config)
    process, config = trained.process, trained.config
    about = ExportedConfig(
        library_name="diffmidi",
        library_version=__version__,
        format=FORMAT,
        checkpoint=trained.step,
        tokenizer_fingerprint=process.tokenizer.fingerprint,
        length=config.length,
        precision=config.precision,
        sample=config.sample,
        lengths=trained.lengths,
        **describe_parts(config, PARTS),
    )
    with whole_folder(to) as temporary:
        write_json(temporary / CONFIG, about.model_dump(mode="json"))
        with whole_file(temporary / WEIGHTS) as file:
            tensors = {tensor: value.contiguous() for tensor, value in process.state_dict().items()}
            save_file(tensors, file, {"format": "pt"})
        process.tokenizer.save(temporary / TOKENIZER)
        (temporary / VOCAB).write_text("".join(f"{word}\n" for word in process.tokenizer.vocab), encoding="utf-8")
        shown = _one_sample(run, trained.step, temporary)
        write_card(temporary, run, about, parameters=_count(process), shown=shown, license=license, name=name)
    return to


def _check_portable(config: RunConfig) -> None:
    """A tokenizer saves its own files; of other parts an option that is a path would not be found elsewhere."""
    for kind in PARTS[1:]:
        part: Part = getattr(config, kind)
        for name, value in find(kind, part.name).options(part.options):
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
