"""infill and continue: a model, a user's file and what is to be new, to the same file with new notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.draw.bars import drawn_together
from diffmidi_core.draw.model import Model
from diffmidi_core.draw.pieces import Computing, Filling
from diffmidi_core.files import whole_file
from diffmidi_core.machine.build import blamed
from diffmidi_core.machine.memory import Halves
from diffmidi_core.music.notes import Score
from diffmidi_core.music.reading import read_midi_bytes
from diffmidi_core.request import Request
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.cells import Laid, lay_out
from diffmidi_core.steer.patching import NewNotes, Patched, patched


@dataclass(frozen=True)
class Take:
    """One answer.

    Attributes:
        patched: the user's file with it.
        ids: the tokens of the cells that were drawn.
        record: whole numbers that tell how it came about.
    """

    patched: Patched
    ids: Ids
    record: Mapping[str, int]

    @property
    def score(self) -> Score:
        """The whole piece."""
        return read_midi_bytes(self.patched.data, "the take")

    def save(self, path: Path | str) -> None:
        """Write the whole piece as a MIDI file, whole or not at all. Raises DiffmidiError where that fails."""
        with whole_file(Path(path)) as temporary:
            temporary.write_bytes(self.patched.data)


def takes(model: Model, asked: Asked, request: Request, computing: Computing) -> Iterator[Take]:
    """`request.count` answers in their order, some computed together. Take i is a function of the seed and i.

    Raises DiffmidiError where the model cannot hold the piece, BrokenPluginError where the sampler or the model fails.
    """
    laid = lay_out(
        asked.file,
        asked.bars,
        asked.selection,
        model.tokenizer,
        length=model.length,
        window=model.bars,
        order=model.process.order,
    )
    filling, halves = Filling.of(model, request, computing), Halves("piece", computing.warn)
    for begin in range(0, request.count, request.batch_size):
        batch = range(begin, min(begin + request.batch_size, request.count))

        def some(first: int, last: int, _: object, batch: range = batch) -> list[Take]:
            return _drawn(model, asked, laid, filling, batch[first:last], computing)

        yield from halves(len(batch), some)


def _drawn(
    model: Model, asked: Asked, laid: Laid, filling: Filling, numbers: range, computing: Computing
) -> list[Take]:
    bars = len({free.bar for free in laid.free})

    def tell(done: int) -> None:
        if computing.on_step is not None:
            computing.on_step(done, bars)

    with blamed("sampler", filling.request.sampler, "drawing"):
        pieces = drawn_together([laid.hole.work() for _ in numbers], filling.by_portion(numbers), laid.hole, tell)
    found = []
    for piece in pieces:
        new = laid.notes(piece.done, model.tokenizer)
        held = asked.selection.holds(new.part, new.onset, new.pitch)
        answer = patched(asked.file, asked.removed, new[held])
        record = {
            **piece.record,
            "new_notes": len(answer.new),
            "outside": int(np.count_nonzero(~held)),
            "left_out": answer.left_out,
            "shortened": answer.shortened,
        }
        found.append(Take(answer, np.concatenate([*piece.done, np.zeros(0, np.int32)]), record))
    return found


def only_new(asked: Asked, new: NewNotes) -> bytes:
    """The user's file with the new notes alone."""
    return patched(asked.file, np.ones(len(asked.file.notes), dtype=bool), new).data
