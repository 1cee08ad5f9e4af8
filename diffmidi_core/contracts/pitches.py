"""Which tokens tell which pitch, whatever the tokenizer; and a canvas on which only some pitches may be drawn."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.roles import tells
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.errors import DiffmidiError, RefusedError
from diffmidi_core.music.notes import TICKS_PER_QUARTER, Notes, notes_of, score_of

PITCHES = 128


@lru_cache(maxsize=8)
def pitch_of_tokens(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """[V] the MIDI pitch that each token of role "pitch" tells, -1 elsewhere.

    Found by writing notes and reading them, so that it holds for any tokenizer. Raises DiffmidiError where no token
    tells a pitch and nothing else.
    """
    pitched = tells(tokenizer, "pitch")
    found = np.full(len(tokenizer.vocab), -1, dtype=np.int64)
    for pitch in range(PITCHES):
        one = Notes(*(np.array([value]) for value in (0, TICKS_PER_QUARTER, pitch, 64)))
        try:
            ids = tokenizer.encode(score_of(one))
        except RefusedError:
            continue
        if notes_of(tokenizer.decode(ids)).pitch.tolist() == [pitch]:
            found[ids[pitched[ids]]] = pitch
    if not (found >= 0).any():
        raise DiffmidiError("this model has no tokens that tell a pitch and nothing else, so none can be left out.")
    return found


def allow_pitches(canvas: Canvas, tokenizer: Tokenizer, pitches: Collection[int]) -> Canvas:
    """The canvas on which no new note has another pitch than these, MIDI numbers.

    Raises DiffmidiError where the tokens do not tell pitches by themselves, or none of these.
    """
    pitch_of = pitch_of_tokens(tokenizer)
    wanted = np.isin(pitch_of, list(pitches)) & (pitch_of >= 0)
    if not wanted.any():
        told = pitch_of[pitch_of >= 0]
        raise DiffmidiError(
            f"none of its pitches is one that this model has tokens for: it has some from {told.min()} to "
            f"{told.max()} (C4 is 60)."
        )
    return canvas.narrowed(torch.from_numpy(wanted | ~tells(tokenizer, "pitch")))
