"""The takes of a draw put in order in its folder, so that a killed process leaves it as it was, or can go on with it.

Takes are numbered as they come. Once all are there they are ranked, and their files copied: first into a folder beside
them, whole or not at all, and from there to the names of their ranks; the record is written last.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from diffmidi_core.draw.model import Model
from diffmidi_core.draw.sample import MIDI
from diffmidi_core.music.notes import Score
from diffmidi_core.music.reading import read_midi
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import DrawFolder, PieceRecord
from diffmidi_core.saved.takes import Rank
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.excerpt import excerpt
from diffmidi_core.steer.infill import Take, laid_for
from diffmidi_core.steer.ranking import Candidate, ranked

AS_DRAWN = ".as-drawn"
"""The folder with the files as they were numbered before."""

Autocast = Callable[[], AbstractContextManager[None]]


def taken_up(draw: DrawFolder) -> list[PieceRecord]:
    """The takes that came so far; what a killed process left half-written is removed."""
    aside, records = draw.path / AS_DRAWN, draw.take_up()
    if aside.is_dir() and not any(record.rank for record in records):
        for path in aside.iterdir():
            shutil.copyfile(path, draw.path / path.name)
    shutil.rmtree(aside, ignore_errors=True)
    return records


def put_in_order(draw: DrawFolder, model: Model, asked: Asked, request: Request, autocast: Autocast) -> None:
    """Rank the takes of a draw, all of which are there, and number them anew, the best first. One is not ranked."""
    records = draw.in_order()
    if len(records) < 2 or any(record.rank for record in records):
        return

    def score_of(record: PieceRecord) -> Score:
        return read_midi(draw.path / f"{record.stem}{MIDI}")

    candidates = []
    for record in records:
        ids, laid = model.tokenizer.to_ids(record.tokens), laid_for(model, asked, request, record.number - 1)
        windows = [*laid.windows(laid.texts_of(ids))]
        candidates.append(Candidate(record.number, windows, record.notes, _excerpt_of(asked, score_of, record)))
    _renumber(draw, records, ranked(model, request, candidates, asked.file.score, autocast))


def best_first(model: Model, asked: Asked, request: Request, takes: Sequence[Take], autocast: Autocast) -> list[Take]:
    """The same of takes that lie in no folder."""
    if len(takes) < 2:
        return [*takes]
    candidates = []
    for number, take in enumerate(takes, start=1):
        laid = laid_for(model, asked, request, number - 1)
        windows = [*laid.windows(laid.texts_of(take.ids))]

        def score(take: Take = take) -> Score:
            return excerpt(take.score, asked)

        candidates.append(Candidate(number, windows, len(take.patched.new), score))
    ranks = ranked(model, request, candidates, asked.file.score, autocast)
    return [takes[rank.drawn - 1] for rank in ranks]


def _excerpt_of(asked: Asked, read: Callable[[PieceRecord], Score], record: PieceRecord) -> Callable[[], Score]:
    return lambda: excerpt(read(record), asked)


def _renumber(draw: DrawFolder, records: Sequence[PieceRecord], ranks: Sequence[Rank]) -> None:
    aside, half = draw.path / AS_DRAWN, draw.path / f"{AS_DRAWN}.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    for record in records:
        for path in draw.path.glob(f"{record.stem}.*"):
            shutil.copyfile(path, half / path.name)
    half.rename(aside)
    found = []
    for number, rank in enumerate(ranks, start=1):
        before = records[rank.drawn - 1]
        record = before.model_copy(update={"number": number, "rank": rank})
        for path in draw.path.glob(f"{record.stem}.*"):
            path.unlink()
        for path in aside.glob(f"{before.stem}.*"):
            shutil.copyfile(path, draw.path / path.name.replace(before.stem, record.stem, 1))
        found.append(record)
    draw.replace(found)
    shutil.rmtree(aside)
