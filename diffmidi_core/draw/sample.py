"""sample: a request to a model, and what comes of it, in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.data.known_labels import asked_of
from diffmidi_core.data.told import obtained
from diffmidi_core.draw.long import Drawn
from diffmidi_core.draw.model import Model
from diffmidi_core.draw.pieces import Computing, pieces
from diffmidi_core.machine.ranks import done_by_main
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.music.reading import write_midi
from diffmidi_core.numbers import counted
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import DrawFolder, ModelReference, Outcome, PieceRecord
from diffmidi_core.saved.lock import hold

MIDI = ".mid"


def sample(
    work: Surroundings,
    model: Model,
    request: Request,
    draws: Path,
    *,
    name: str | None = None,
    begun: DrawFolder | None = None,
) -> DrawFolder:
    """Draw the pieces into a new folder below `draws`, each batch written as it comes; the same for any number of
    ranks. Or go on with a draw that was `begun` with this request: then all its pieces are those of an unbroken one.

    While it does, no other process can go on with this draw. Raises UsageError for a name that is taken, DiffmidiError
    where another process is at it, and what `pieces` raises.
    """
    draw = begun or DrawFolder(done_by_main(lambda: DrawFolder.claim(draws, name).path))
    with hold(draw.path, "sample"):
        there = done_by_main(lambda: len(draw.take_up()) if begun else _begin(work, model, request, draw))
        if there < request.count:
            _draw(work, model, request, draw, after=there)
    return draw


def _begin(work: Surroundings, model: Model, request: Request, draw: DrawFolder) -> int:
    asked = ModelReference(path=str(model.path), step=model.step, fingerprint=model.fingerprint)
    draw.begin(asked, request, work.asked_precision)
    return 0


def _draw(work: Surroundings, model: Model, request: Request, draw: DrawFolder, *, after: int) -> None:
    """Draw the pieces after the first so many, which are there."""
    accelerator = work.accelerator
    work.tell_begin("sample", draw.path, request.model_dump(mode="json"), _about(request, model, after))
    model.process.to(accelerator.device)
    what = "bars" if model.tokenizer.plan else "reverse steps"
    computing = Computing(
        work.autocast,
        accelerator.process_index,
        accelerator.num_processes,
        on_step=lambda done, total: work.hooks.emit("progress", what=what, done=done, total=total),
        warn=work.hooks.warn,
    )
    main = accelerator.is_main_process
    written = draw.so_far() if main else []
    for some in pieces(model, request, computing, after=after):
        if main:
            written += _written(draw, some, model, request, first=len(written) + 1)
    if main:
        _warn_of_short(work, written, request)
        work.hooks.emit("samples_written", paths=draw.files(written, MIDI))
    accelerator.wait_for_everyone()
    work.tell_end("sample", draw.path)


def draw_into(draw: DrawFolder, model: Model, request: Request, computing: Computing) -> list[PieceRecord]:
    """Draw the pieces into a folder that stands, by one process, telling nobody. Raises what `pieces` raises."""
    draw.begin(ModelReference(path=str(model.path), step=model.step, fingerprint=model.fingerprint), request)
    written: list[PieceRecord] = []
    for some in pieces(model, request, computing):
        written += _written(draw, some, model, request, first=len(written) + 1)
    return written


def copy_to(draw: DrawFolder, out: Path) -> list[Path]:
    """Copy the pieces as `out` too: one piece as that file, several as NAME-1.mid, NAME-2.mid ..."""
    paths = draw.files(draw.pieces(), MIDI)
    out.parent.mkdir(parents=True, exist_ok=True)
    one = len(paths) == 1
    targets = [out if one else out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(1, len(paths) + 1)]
    for path, target in zip(paths, targets, strict=True):
        shutil.copyfile(path, target)
    return targets


def _outcomes(model: Model, request: Request, ids: Ids, piece: int) -> dict[str, Outcome]:
    """Of each label that the model or a classifier knows: what was asked of a piece, and what it has."""
    known = request.known(model.manifest.labels)
    if not known:
        return {}
    asked = asked_of(request.want, known, piece)
    found = obtained(known, model.tokenizer.decode(ids))  # without the timeline, as labels of training windows are
    outcomes = {}
    for label in known:
        one, other = asked.get(label.name), found.get(label.name)
        bins = [label.number(each) if label.edges and each is not None else None for each in (one, other)]
        if one is not None or other is not None:
            outcomes[label.name] = Outcome(asked=one, obtained=other, asked_bin=bins[0], obtained_bin=bins[1])
    return outcomes


def _written(
    draw: DrawFolder, some: Sequence[Drawn], model: Model, request: Request, *, first: int
) -> list[PieceRecord]:
    records, tokenizer = [], model.tokenizer
    for number, piece in enumerate(some, start=first):
        score = tokenizer.decode(piece.ids, model.timeline)
        record = PieceRecord(
            number=number,
            notes=tokenizer.count_notes(piece.ids),
            record=dict(piece.record),
            losses=dict(piece.losses),
            labels=_outcomes(model, request, piece.ids, number - 1),
            tokens=tokenizer.to_tokens(piece.ids),
        )
        write_midi(score, draw.path / f"{record.stem}{MIDI}")
        draw.add(record)  # after its file: what the record names is there
        records.append(record)
    return records


def _about(request: Request, model: Model, after: int) -> str:
    windows = f"of {counted(model.bars, 'bar')}" if model.tokenizer.plan else "as long as training windows"
    known = {"windows": windows, "pieces": "as long as training pieces"}
    pieces, length = counted(request.count, "piece"), known.get(request.length, f"of {request.length}")
    there = f"; the first {after:,} of them are there" if after else ""
    return f"Writing {pieces} {length} ({request.sampler.label}, {counted(request.steps, 'step')} each){there}"


def _warn_of_short(work: Surroundings, written: Sequence[PieceRecord], request: Request) -> None:
    short = sum("short" in piece.record for piece in written)
    if short:
        which = "the piece" if len(written) == 1 else f"{short} of {len(written)} pieces"
        kept = "is kept as it is" if short == 1 else "are kept as they are"
        work.hooks.warn(
            f"{which} got stuck before reaching {request.length}, and {kept}: train longer, or ask for another length."
        )
