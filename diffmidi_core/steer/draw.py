"""A user's file with new notes, take by take, in a draw's folder: MIDI files, pictures, and what was asked and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from diffmidi_core.contracts.renderer import Change, Renderer
from diffmidi_core.draw.model import Model
from diffmidi_core.draw.pieces import Computing
from diffmidi_core.draw.sample import MIDI
from diffmidi_core.errors import BrokenPluginError
from diffmidi_core.files import whole_file
from diffmidi_core.machine.build import blamed, build
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.music.notes import Notes
from diffmidi_core.numbers import counted
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import DrawFolder, Edit, ModelReference, PieceRecord
from diffmidi_core.saved.lock import hold
from diffmidi_core.sections import Part
from diffmidi_core.steer.asked import Asked, ranges
from diffmidi_core.steer.infill import Take, only_new, takes

ONLY_NEW = ".new.mid"


def draw_takes(
    work: Surroundings,
    model: Model,
    asked: Asked,
    request: Request,
    draws: Path,
    *,
    command: str,
    name: str | None,
    renderers: Sequence[Part],
    alone: bool,
) -> DrawFolder:
    """Draw the takes into a new folder below `draws`, each written as it comes; with `alone` the new notes also by
    themselves. Nothing is written before the first take is there. Raises what `takes` raises, UsageError for a name.
    """
    model.process.to(work.accelerator.device)
    computing = Computing(
        work.autocast,
        on_step=lambda done, total: work.hooks.emit("progress", what="bars", done=done, total=total),
        warn=work.hooks.warn,
    )
    what = f"{counted(request.count, 'take')} of bars {ranges(asked.touched)}"
    about = f"Writing {what} ({counted(request.steps, 'step')} each)"
    found = takes(model, asked, request, computing)
    first = next(found)
    draw = DrawFolder.claim(draws, name)
    with hold(draw.path, command):
        work.tell_begin("sample", draw.path, request.model_dump(mode="json"), about)
        reference = ModelReference(path=str(model.path), step=model.step, fingerprint=model.fingerprint)
        draw.begin(reference, request, work.asked_precision, edit_of(asked, command))
        paths = []
        for number, take in enumerate(chain([first], found), start=1):
            record = PieceRecord(
                number=number,
                notes=len(take.patched.new),
                record=dict(take.record),
                losses=dict(take.losses),
                tokens=model.tokenizer.to_tokens(take.ids),
            )
            paths += _write(draw, record.stem, take, asked, alone=alone)
            draw.add(record)
            _show(work, draw, record, take, asked, renderers)
        work.hooks.emit("samples_written", paths=paths)
        work.tell_end("sample", draw.path)
    return draw


def edit_of(asked: Asked, command: str) -> Edit:
    """What the request's file says of it."""
    removed = int(np.count_nonzero(asked.removed))
    return Edit(
        command=command,
        file=asked.file.name,
        sha256=hashlib.sha256(asked.file.data).hexdigest(),
        region=asked.told,
        bars=asked.touched,
        kept=len(asked.removed) - removed,
        removed=removed,
    )


def change_of(asked: Asked, take: Take) -> Change:
    """Before and after."""
    notes, new = asked.file.notes, take.patched.new
    gone = take.removed
    before = Notes(notes.onset, notes.duration, notes.pitch, notes.velocity)
    added = Notes(new.onset, new.duration, new.pitch, new.velocity)
    return Change(before[~gone], before[gone], added, asked.file.ticks, asked.bars.at, asked.bars.first)


def _write(draw: DrawFolder, stem: str, take: Take, asked: Asked, *, alone: bool) -> list[Path]:
    files = {MIDI: take.patched.data}
    if alone:
        files[ONLY_NEW] = only_new(asked, take.patched.new)
    for suffix, data in files.items():
        with whole_file(draw.path / f"{stem}{suffix}") as temporary:
            temporary.write_bytes(data)
    return [draw.path / f"{stem}{suffix}" for suffix in files]


def _show(
    work: Surroundings, draw: DrawFolder, record: PieceRecord, take: Take, asked: Asked, renderers: Sequence[Part]
) -> None:
    """Pictures by the renderers that can show a change; one that fails is named."""
    title = f"{Path(asked.file.name).stem}, bars {ranges(asked.touched)}, take {record.number}"
    for part in renderers:
        try:
            renderer: Renderer = build("renderer", part)
            with blamed("renderer", part, f"rendering take {record.number}"):
                renderer.render_change(
                    change_of(asked, take), draw.path / f"{record.stem}{renderer.suffix}", title=title
                )
        except BrokenPluginError as error:
            work.hooks.warn(str(error))
