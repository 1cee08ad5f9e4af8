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
from diffmidi_core.errors import BrokenPluginError, DiffmidiError
from diffmidi_core.files import whole_file
from diffmidi_core.machine.build import blamed, build
from diffmidi_core.machine.ranks import done_by_main
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.music.notes import Notes
from diffmidi_core.numbers import counted
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import DrawFolder, Edit, ModelReference, PieceRecord
from diffmidi_core.saved.lock import hold
from diffmidi_core.sections import Part
from diffmidi_core.steer.asked import Asked, ranges
from diffmidi_core.steer.infill import Take, takes
from diffmidi_core.steer.order import put_in_order, taken_up
from diffmidi_core.steer.ranking import check_ranking
from diffmidi_core.steer.user_file import UserFile

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
    begun: DrawFolder | None = None,
) -> DrawFolder:
    """Draw the takes into a new folder below `draws`, each written as it comes, the same for any number of ranks; with
    `alone` the new notes also by themselves. Several are then put in order, the best first. Or go on with a draw that
    was `begun` with this request: then all its takes are those of an unbroken one.

    Nothing is written before the first take is there. Raises what `takes` and `ranked` raise, UsageError for a name,
    DiffmidiError where another process is at this draw.
    """
    check_ranking(request)
    accelerator = work.accelerator
    model.process.to(accelerator.device)
    computing = Computing(
        work.autocast,
        accelerator.process_index,
        accelerator.num_processes,
        on_step=lambda done, total: work.hooks.emit("progress", what="bars", done=done, total=total),
        warn=work.hooks.warn,
    )
    first: list[Take] = [] if begun else next(takes(model, asked, request, computing))
    draw = begun or DrawFolder(done_by_main(lambda: DrawFolder.claim(draws, name).path))
    edit = edit_of(asked, command, alone=alone)
    with hold(draw.path, command):
        there = done_by_main(lambda: len(taken_up(draw)) if begun else _begin(draw, model, request, work, edit))
        work.tell_begin("sample", draw.path, request.model_dump(mode="json"), _about(asked, request, there))
        number = there
        for some in chain([first], takes(model, asked, request, computing, after=there + len(first))):
            for take in some:
                number += 1
                if accelerator.is_main_process:
                    _add(work, model, draw, number, take, asked, renderers, alone=alone)
        done_by_main(lambda: put_in_order(draw, model, asked, request, work.autocast))
        if accelerator.is_main_process:
            work.hooks.emit("samples_written", paths=draw.files(draw.pieces(), MIDI))
        accelerator.wait_for_everyone()
        work.tell_end("sample", draw.path)
    return draw


def asked_before(begun: DrawFolder, file: UserFile) -> tuple[Asked, bool]:
    """What a draw was begun with, of this file, and whether new notes are written by themselves.

    Raises DiffmidiError where that was another file.
    """
    edit = begun.request().edit
    assert edit is not None
    if edit.sha256 != hashlib.sha256(file.data).hexdigest():
        raise DiffmidiError(
            f"{begun.path} was begun with another file ({edit.file}) than {file.name} is now: go on with it by that "
            "file, name another draw by --name, or draw anew, without --resume."
        )
    return Asked.again(file, edit.asking), edit.alone


def edit_of(asked: Asked, command: str, *, alone: bool = False) -> Edit:
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
        asking=asked.asking,
        alone=alone,
    )


def change_of(asked: Asked, take: Take) -> Change:
    """Before and after."""
    notes, new = asked.file.notes, take.patched.new
    gone = take.removed
    before = Notes(notes.onset, notes.duration, notes.pitch, notes.velocity)
    added = Notes(new.onset, new.duration, new.pitch, new.velocity)
    return Change(before[~gone], before[gone], added, asked.file.ticks, asked.bars.at, asked.bars.first)


def _begin(draw: DrawFolder, model: Model, request: Request, work: Surroundings, edit: Edit) -> int:
    reference = ModelReference(path=str(model.path), step=model.step, fingerprint=model.fingerprint)
    draw.begin(reference, request, work.asked_precision, edit)
    return 0


def _about(asked: Asked, request: Request, there: int) -> str:
    what = f"{counted(request.count, 'take')} of bars {ranges(asked.touched)}"
    before = f"; the first {there:,} of them are there" if there else ""
    return f"Writing {what} ({counted(request.steps, 'step')} each){before}"


def _add(
    work: Surroundings,
    model: Model,
    draw: DrawFolder,
    number: int,
    take: Take,
    asked: Asked,
    renderers: Sequence[Part],
    *,
    alone: bool,
) -> None:
    """Write a take: its files, and then its record, which names them."""
    record = PieceRecord(
        number=number,
        notes=len(take.patched.new),
        record=dict(take.record),
        losses=dict(take.losses),
        tokens=model.tokenizer.to_tokens(take.ids),
    )
    _write(draw, record.stem, take, asked, alone=alone)
    _show(work, draw, record, take, asked, renderers)
    draw.add(record)


def _write(draw: DrawFolder, stem: str, take: Take, asked: Asked, *, alone: bool) -> None:
    files = {MIDI: take.patched.data}
    if alone:
        files[ONLY_NEW] = take.midi_of_new()
    for suffix, data in files.items():
        with whole_file(draw.path / f"{stem}{suffix}") as temporary:
            temporary.write_bytes(data)


def _show(
    work: Surroundings, draw: DrawFolder, record: PieceRecord, take: Take, asked: Asked, renderers: Sequence[Part]
) -> None:
    """Pictures by the renderers that can show a change; one that fails is named."""
    title = f"{Path(asked.file.name).stem}, bars {ranges(asked.touched)}"
    for part in renderers:
        try:
            renderer: Renderer = build("renderer", part)
            with blamed("renderer", part, f"rendering take {record.number}"):
                renderer.render_change(
                    change_of(asked, take), draw.path / f"{record.stem}{renderer.suffix}", title=title
                )
        except BrokenPluginError as error:
            work.hooks.warn(str(error))
