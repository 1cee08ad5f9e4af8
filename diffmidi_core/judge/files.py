"""Judging MIDI files, whoever made them, by every metric of music alone, and by models that some metrics ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from symusic.core import TimeSignatureTick

from diffmidi_core.contracts.metric import Sample, TrainingMusic
from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.errors import DiffmidiError, RefusedError, UsageError
from diffmidi_core.files import write_json
from diffmidi_core.hooks import Hooks
from diffmidi_core.judge.judged import MUSIC
from diffmidi_core.judge.metrics import Metrics
from diffmidi_core.machine.build import build, build_tokenizer
from diffmidi_core.music.notes import Notes, Score, notes_of, score_of
from diffmidi_core.music.reading import printable
from diffmidi_core.registry import source_of
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.sections import EvaluateConfig, Part

WHOLE = 0.75
"""A stretch of a reference piece counts where it has this share of the notes of a typical sample."""
REFUSALS_SHOWN = 3


@dataclass(frozen=True)
class Files:
    """MIDI files that were read.

    Attributes:
        names, scores: those that could be.
        refused: the sentence of each that could not.
    """

    names: list[str] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def judge_files(
    samples: Path,
    against: Path,
    metrics: Metrics,
    *,
    hooks: Hooks,
    windows: int = EvaluateConfig().windows,
    out: Path | None = None,
) -> dict[str, Any]:
    """Figures of MIDI files beside other music, and the rows of each file. Only models that metrics name are asked.

    The other music is cut into stretches of as many notes as a typical sample has, since most figures depend on how
    long a piece is. Of a run it is the music that was not trained on, and how new the samples are is asked of what was
    trained on; of a folder it is all of it, for both.

    Args:
        samples: a folder of MIDI files, or one file.
        against: a run, or a folder of MIDI files.
        metrics: those on likelihood, and those that need tokens, are left out, and are named in the answer.
        hooks: told of files that cannot be read, and of the progress.
        windows: how many stretches of the other music at most; which ones follows from that music alone.
        out: the file that the answer is written into; None: none.

    Raises DiffmidiError where a folder is not there, or holds no file that can be read.
    """
    judged = _read(samples, "--samples", hooks)
    run = _is_run(against)
    pieces, training, about = _of_run(against) if run else _of_folder(against, hooks)
    notes = max(2, int(np.median([len(notes_of(score)) for score in judged.scores])))
    reference = stretches(pieces, notes, windows)
    if not reference:
        hooks.warn(
            f"no piece of {printable(against)} is as long as the samples typically are ({notes} notes), so they are "
            "compared with nothing."
        )
    names = metrics.on("samples", tokens=False)
    measured = metrics.measure(
        names,
        [Sample.of_music(score, training) for score in judged.scores],
        # A stretch of a folder stands whole in that folder: how new it is there means nothing.
        [Sample.of_music(score, training if run else None) for score in reference],
        music=f"{MUSIC[about['split']]} of {printable(against)}" if run else printable(against),
    )
    stored = {
        "samples": {"path": str(samples), "read": len(judged.names), "refused": judged.refused},
        "against": {**about, "stretches": len(reference), "notes_each": notes},
        "left_out": [*metrics.on("likelihood"), *(name for name in metrics.on("samples") if name not in names)],
        "figures": measured.figures,
        "pieces": measured.by_item(judged.names),
        "versions": metrics.versions(),
    }
    if out is not None:
        write_json(out, stored)
    return stored


def stretches(pieces: Sequence[Score], notes: int, count: int) -> list[Score]:
    """`count` stretches at most of about `notes` notes each, that tile the pieces; the same at every call.

    Notes that begin together stay together. A stretch begins with the bar of its first note and keeps the metres of its
    piece, so that beats stay beats and bars before it are none of its; without a metre it keeps its times.
    """
    tiles = [
        (piece, begin, end)
        for piece, score in enumerate(pieces)
        for begin, end in _tiles(notes_of(score), notes)
        if end - begin >= WHOLE * notes
    ]
    order = np.random.default_rng(0).permutation(len(tiles))[:count]
    return [_stretch(pieces[piece], begin, end) for piece, begin, end in (tiles[index] for index in order)]


def _stretch(piece: Score, begin: int, end: int) -> Score:
    notes, quarter = notes_of(piece)[begin:end], piece.ticks_per_quarter
    first, last = int(notes.onset[0]), int(notes.onset[-1])
    signs = sorted(
        (max(0, sign.time), sign.numerator, sign.denominator)
        for sign in piece.time_signatures
        if sign.numerator > 0 and sign.denominator > 0 and sign.time <= last
    )
    now = max((sign for sign in signs if sign[0] <= first), default=None)
    line = 0
    if now is not None:
        bar = max(1, round(4 * quarter * now[1] / now[2]))
        line = first - (first - now[0]) % bar
    score = score_of(replace(notes, onset=notes.onset - line), quarter)
    score.time_signatures = type(score.time_signatures)(
        [TimeSignatureTick(max(0, time - line), *metre) for time, *metre in signs if time >= (now or (0,))[0]]
    )
    return score


def _tiles(notes: Notes, size: int) -> list[tuple[int, int]]:
    """Where stretches of `size` notes begin and end, the end moved on to where a chord does."""
    found, begin = [], 0
    while begin < len(notes):
        end = min(begin + size, len(notes))
        end = int(np.searchsorted(notes.onset, notes.onset[end - 1], side="right"))
        found.append((begin, end))
        begin = end
    return found


def _read(folder: Path, flag: str, hooks: Hooks) -> Files:
    """Every MIDI file in or below a folder, or the one. Raises DiffmidiError, which names the flag, where none is."""
    if not folder.exists():
        raise UsageError(f"{flag} {printable(folder)} does not exist: give a folder of MIDI files, or one MIDI file.")
    source: Source = build("source", Part(name=source_of(str(folder))), data=str(folder))
    files = Files()
    try:
        pieces = list(source.pieces())
    except DiffmidiError as error:
        raise type(error)(str(error).replace("--data", flag)) from None
    for number, piece in enumerate(pieces):
        hooks.emit("progress", what="files", done=number, total=len(pieces))
        _read_one(source, piece, files)
    hooks.emit("progress", what="files", done=len(pieces), total=len(pieces))
    if files.refused:
        shown = " ".join(files.refused[:REFUSALS_SHOWN])
        more = len(files.refused) - REFUSALS_SHOWN
        hooks.warn(
            f"{len(files.refused)} of the {len(pieces)} files in {printable(folder)} cannot be read and are left out: "
            f"{shown}{f' And {more} more.' if more > 0 else ''}"
        )
    if not files.scores:
        raise DiffmidiError(
            f"none of the {len(pieces)} files in {flag} {printable(folder)} can be read. The first: {files.refused[0]}"
        )
    return files


def _read_one(source: Source, piece: Piece, files: Files) -> None:
    try:
        score = source.read(piece)
    except RefusedError as refused:
        files.refused.append(str(refused))
    else:
        files.names.append(piece.id)
        files.scores.append(score)


def _is_run(path: Path) -> bool:
    return RunFolder(path).config_file.is_file() and RunFolder(path).data.is_dir()


def _of_run(path: Path) -> tuple[list[Score], TrainingMusic, dict[str, Any]]:
    """The music of a run that was not trained on, as its tokens have it; what was; and what that music is."""
    # It brings torch, which files against files do not need.
    from diffmidi_core.data.prepare import TOKENIZER
    from diffmidi_core.judge.music import ReferenceMusic

    folder = RunFolder.open(path)
    config = folder.config()
    tokenizer = build_tokenizer(config, folder.data / TOKENIZER)
    music = ReferenceMusic(folder.data, tokenizer, length=config.length, bars=config.bars)
    return music.pieces(), music.training, {"run": str(path), **music.about()}


def _of_folder(path: Path, hooks: Hooks) -> tuple[list[Score], TrainingMusic, dict[str, Any]]:
    files = _read(path, "--against", hooks)
    about = {"folder": str(path), "read": len(files.names), "refused": files.refused}
    return files.scores, TrainingMusic(files.names, lambda number: files.scores[number]), about
