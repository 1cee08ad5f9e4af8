"""What `infilling.py` measures of a filling: likeness to the truth, its seams, its bits under a judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from infilling_holes import Hole
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.draw.filled import cells_of, windows_of
from diffmidi_core.draw.model import Model
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import notes_of
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.cells import Laid, lay_out
from diffmidi_core.steer.ranking import Candidate, bits_per_note
from diffmidi_core.steer.regions import regions
from diffmidi_core.steer.user_file import UserFile
from diffmidi_metrics.seam import AROUND, changes, larger

Row = dict[str, Any]


def inside(file: UserFile, hole: Hole) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Onsets in quarter notes and pitches of the notes in the hole."""
    rows = (file.notes.onset >= hole.begin) & (file.notes.onset < hole.end)
    return (file.notes.onset[rows] - hole.begin) / file.ticks, file.notes.pitch[rows]


def likeness(file: UserFile, hole: Hole) -> Row:
    """What a filling has in common with the truth."""
    (ours, pitch), (theirs, true) = inside(file, hole), inside(hole.file, hole)
    one, two = (set(np.rint(each * 12).astype(int).tolist()) for each in (ours, theirs))
    counts = [np.bincount(each % 12, minlength=12).astype(float) for each in (pitch, true)]
    shares = [each / max(1.0, each.sum()) for each in counts]
    norm = float(np.linalg.norm(counts[0]) * np.linalg.norm(counts[1]))
    steps = max(1, round((hole.end - hole.begin) / hole.file.ticks * 4))
    grids = [
        np.bincount(np.minimum(np.rint(each * 4).astype(int), steps - 1), minlength=steps) > 0
        for each in (ours, theirs)
    ]
    return {
        "notes": len(pitch),
        "rhythm": 2 * len(one & two) / max(1, len(one) + len(two)),
        "pitch classes": float(np.minimum(*shares).sum()),
        "PCHO": float(counts[0] @ counts[1]) / norm if norm else 0.0,
        "groove": float((grids[0] == grids[1]).mean()),
        "density": len(pitch) / max(1, len(true)),
    }


def seam(file: UserFile, hole: Hole) -> float | None:
    """How far the two ends of the hole stand out; None where too few notes are around it."""
    notes = notes_of(file.score)
    places = np.arange(AROUND, len(notes) - AROUND + 1)
    ends = np.searchsorted(notes.onset, [hole.begin, hole.end])
    is_seam = np.isin(places, ends)
    elsewhere = (places + AROUND <= ends[0]) | (places - AROUND >= ends[1])
    if not is_seam.any() or not elsewhere.any():
        return None
    found = changes(notes, file.score.ticks_per_quarter).values()
    return float(np.mean([larger(each[is_seam], each[elsewhere]).mean() for each in found]))


def texts_of(file: UserFile, laid: Laid, bars: int) -> list[Ids] | None:
    """The cells of a hole as a file has them; None where it is not written bar by bar as it is laid out."""
    tokenizer = laid.hole.tokenizer
    ids = tokenizer.encode(file.as_score())
    texts = np.split(ids, tokenizer.starts(ids)[1:])
    if len(texts) != bars:
        return None
    cells = [cells_of(texts[free.bar], tokenizer) for free in laid.free]
    if any(place >= len(own) for own, (_, place) in zip(cells, laid.hole.free, strict=True)):
        return None
    return [own[place] for own, (_, place) in zip(cells, laid.hole.free, strict=True)]


@torch.no_grad()
def bits(model: Model, file: UserFile, hole: Hole) -> float | None:
    """What a judge charges for the new notes; None where it cannot write them."""
    asked = Asked.region(file, regions([hole.told]))
    try:
        laid = lay_out(
            file, asked.bars, asked.selection, model.tokenizer,
            length=model.length, window=model.bars, order=model.process.order,
        )  # fmt: skip
        texts = texts_of(file, laid, len(asked.bars))
    except DiffmidiError:
        return None
    if texts is None:
        return None
    windows = [*windows_of(laid.hole, texts)]
    if max(len(window.ids) for window in windows) > model.length:
        return None
    (value,) = bits_per_note(model, [Candidate(1, windows, 1, lambda: file.score)])
    return value


def measured(hole: Hole, answer: Callable[[], bytes], judges: Mapping[str, Model]) -> Row:
    """A filling, measured."""
    try:
        file = UserFile(answer(), "the answer")
    except DiffmidiError as error:
        return {"refused": str(error)[:160]}
    row = likeness(file, hole) | {"seam": seam(file, hole)}
    row["bits"] = {name: bits(model, file, hole) for name, model in judges.items()}
    return row
