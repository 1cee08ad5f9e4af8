"""A draw as a film: which notes are there after each step, as one animated picture (APNG), which browsers play."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from diffmidi_core.contracts.tokenizer import SPECIALS, Ids, Tokenizer
from diffmidi_core.errors import UsageError
from diffmidi_core.files import whole_file
from diffmidi_core.music.timeline import Timeline
from diffmidi_core.pieces import Piece
from diffmidi_core.show.palette import TRACKS
from diffmidi_core.show.roll import Columns, bars, columns, ends

MOST = 72
"""Pictures of a film."""
_WIDTH, _HEIGHT, _EDGE = 880, 220, 8
_EACH, _LAST = 90, 2500
"""Milliseconds that a picture stands, and the last one."""
_PAPER, _LINE, _FAINT = "#f7f7f9", "#d5d9e2", "#c9cfdb"
UNSEEN, HALF, SEEN = 0, 1, 2
"""Of a note: no token of it is drawn, some are, all are."""


@dataclass(frozen=True)
class Film:
    """A draw from its first step to its last.

    Attributes:
        piece: what came of it.
        png: the animated picture.
        pictures: how many it has.
    """

    piece: Piece
    png: bytes = field(repr=False)
    pictures: int

    def save(self, path: Path | str) -> None:
        """Write it as an animated PNG. Raises DiffmidiError where that fails."""
        with whole_file(Path(path).expanduser()) as temporary:
            temporary.write_bytes(self.png)

    def _repr_png_(self) -> bytes:
        return self.png


def film(tokenizer: Tokenizer, timeline: Timeline, states: Sequence[Ids], ids: Ids) -> Film:
    """The film of a piece, from the tokens before each step, [MASK] among them, and those that came.

    Raises UsageError where the states are not of the piece as it came, as where it is longer than the model sees.
    """
    piece = Piece(tokenizer.decode(ids, timeline))
    seen = [found for state in states if (found := _seen(tokenizer, state, ids)) is not None]
    if not seen:
        raise UsageError(
            "a film shows a piece that the model sees at once: ask for fewer bars, such as length='4 bars'."
        )
    seen = [each for number, each in enumerate(seen) if number == 0 or (each != seen[number - 1]).any()]
    kept = sorted({round(at) for at in np.linspace(0, len(seen) - 1, MOST)})
    scenes = [_notes(tokenizer, timeline, ids, seen[at]) for at in kept]
    whole = columns(piece)
    images = [_picture(piece, whole, scene) for scene in scenes]
    images.append(_picture(piece, whole, _notes(tokenizer, timeline, ids, np.full_like(seen[0], SEEN))))
    written = io.BytesIO()
    lasting = [_EACH] * (len(images) - 1) + [_LAST]
    images[0].save(written, "PNG", save_all=True, append_images=images[1:], duration=lasting, loop=0, optimize=True)
    return Film(piece, written.getvalue(), len(images))


def _seen(tokenizer: Tokenizer, state: Ids, ids: Ids) -> NDArray[np.int64] | None:
    """[notes] UNSEEN, HALF or SEEN for each note of the piece; None where the state is laid out in another way."""
    state = state[(state >= len(SPECIALS)) | (state == tokenizer.mask_id)].astype(np.int32)
    of = tokenizer.note_of(ids)
    if of is None or len(state) > len(ids) or (tokenizer.types(state) != tokenizer.types(ids[: len(state)])).any():
        return None
    drawn = np.zeros(len(ids), dtype=np.int64)
    drawn[: len(state)] = state == ids[: len(state)]
    inside = of >= 0
    notes = int(of.max(initial=-1)) + 1
    some, all_ = (np.bincount(of[inside], weights, notes) for weights in (drawn[inside], np.ones(int(inside.sum()))))
    return np.where(some == all_, SEEN, np.where(some > 0, HALF, UNSEEN))


def _notes(tokenizer: Tokenizer, timeline: Timeline, ids: Ids, seen: NDArray[np.int64]) -> Columns:
    """The piece's notes as columns, those that are UNSEEN left out; the velocity of one says HALF or SEEN.

    How loud a note is is rewritten to that, so that the tokenizer itself says where each one is.
    """
    names = np.array([tokenizer.roles.get(name) == "velocity" for name in tokenizer.grammar.types])
    loud = np.flatnonzero(names[tokenizer.grammar.type_of])
    of = tokenizer.note_of(ids)
    if of is None or len(loud) < 3:
        raise UsageError("a film takes a tokenizer that tells which note each token is of, and 3 velocities: mmm does.")
    levels = loud[[0, len(loud) // 2, -1]]
    told = ids.copy()
    places = np.flatnonzero(names[tokenizer.types(ids)] & (of >= 0))
    told[places] = levels[seen[of[places]]]
    notes = columns(Piece(tokenizer.decode(told, timeline)))
    found = notes["velocity"].astype(np.int64) * 3 // 128
    shown = found > UNSEEN
    return {**{name: column[shown] for name, column in notes.items()}, "velocity": found[shown]}


def _picture(piece: Piece, whole: Columns, notes: Columns) -> Image.Image:
    """Notes over the bars of the piece; `whole` are all that it has, which decide the scale."""
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    pen, seconds = ImageDraw.Draw(picture), max(ends(whole), 1e-9)
    low, high = (int(f(whole["pitch"])) for f in (np.min, np.max)) if len(whole["pitch"]) else (60, 72)
    row = (_HEIGHT - 2 * _EDGE) / (high - low + 1)
    scale = (_WIDTH - 2 * _EDGE) / seconds
    for at, _ in bars(piece, seconds):
        pen.line([(_EDGE + at * scale, 0), (_EDGE + at * scale, _HEIGHT)], fill=_LINE)
    each = zip(*(notes[name].tolist() for name in ("time", "duration", "pitch", "velocity", "track")), strict=True)
    for time, duration, pitch, seen, track in each:
        left, top = _EDGE + time * scale, _EDGE + (high - pitch) * row
        box = [left, top, max(left + duration * scale - 2, left + 1), top + max(row - 1, 1)]
        pen.rectangle(box, fill=TRACKS[track % len(TRACKS)] if seen == SEEN else _FAINT)
    return picture.quantize(64)
