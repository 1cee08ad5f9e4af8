"""What a source promises. It is tried on a folder of toy music, and without --data where it takes none."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.declaration import SourceDeclaration
from diffmidi_core.errors import DiffmidiError, RefusedError
from diffmidi_core.music.notes import Score
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import ConformanceError, expect, refuses

TRIED = ("tune", "scale", "chords")
READ = 3
"""Pieces that are read; a corpus may be large."""


def use(source: Source) -> None:
    """What a run does with it, where there is something to read."""
    with contextlib.suppress(DiffmidiError):
        for piece in itertools.islice(source.pieces(), READ):
            source.read(piece)


def check_pieces_repeat(component: Component) -> None:
    """Every piece has an id of its own, and the order is the same each time."""
    with _data(component) as data:
        source: Source = component.build(data=data)
        pieces = list(source.pieces())
        expect(pieces, "there is at least one piece, or a DiffmidiError that says why not")
        expect(all(isinstance(each, Piece) and each.id for each in pieces), "every piece is a Piece with an id")
        expect(len({each.id for each in pieces}) == len(pieces), "two pieces have one id")
        expect(list(source.pieces()) == pieces, "listed twice, the pieces differ")
        expect(list(component.build(data=data).pieces()) == pieces, "another source of the same data lists otherwise")


def check_pieces_are_scores(component: Component) -> None:
    """A piece is read as a score, or refused with a reason; at least one of the first can be read."""
    with _data(component) as data:
        source: Source = component.build(data=data)
        scores = []
        for piece in itertools.islice(source.pieces(), READ):
            try:
                scores.append(source.read(piece))
                counted, counts = source.read_counted(piece)
                expect(counted == scores[-1], "read_counted() gives the score that read() gives")
                expect(all(isinstance(many, int) for many in counts.values()), "read_counted() counts whole things")
            except RefusedError as error:
                expect(error.reason and str(error), f"piece {piece.id} is refused without a reason")
        expect(scores, f"none of the first {READ} pieces can be read")
        expect(all(isinstance(score, Score) for score in scores), "read() gives a score in ticks")


def check_unknown_piece_is_refused(component: Component) -> None:
    """A piece that is not there (any more) is refused."""
    with _data(component) as data:
        source: Source = component.build(data=data)
        with refuses("reading a piece that is not there"):
            source.read(Piece("there is no such piece"))


def check_missing_data_is_said(component: Component) -> None:
    """--data that is not there, or that is not taken, is a DiffmidiError."""
    with tempfile.TemporaryDirectory() as folder, refuses("data that is not there"):
        list(component.build(data=str(Path(folder) / "nothing-here")).pieces())


@contextlib.contextmanager
def _data(component: Component) -> Iterator[str | None]:
    """What the source's declaration writes (`toy`); else a folder of toy music, as MIDI files and as a Parquet table of
    them, where the source takes --data; else None.
    """
    declared = component.declaration
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(declared, SourceDeclaration) and declared.toy:
            yield _written_by(declared.toy, Path(folder))
            return
        for name in TRIED:
            toy_scores()[name].dump_midi(str(Path(folder) / f"{name}.mid"))
        table = pa.table({"midi": [toy_scores()[name].dumps_midi() for name in TRIED]})
        pq.write_table(table, Path(folder) / "toy.parquet")
        try:
            next(iter(component.build(data=folder).pieces()))
        except (DiffmidiError, StopIteration):
            _expect_something(component)
            yield None
        else:
            yield folder


def _written_by(toy: str, folder: Path) -> str:
    """What --data is to be, by the function that a declaration names."""
    module, _, name = toy.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)(folder)
    except Exception as error:
        raise ConformanceError(f"the declaration's toy={toy!r} raised {type(error).__name__}: {error}") from error
    expect(
        found is not None and str(found),
        f"the declaration's toy={toy!r} returns what --data is to be, a path or a text, not {found!r}",
    )
    return str(found)


def _expect_something(component: Component) -> None:
    """A source that reads no MIDI and needs --data has a format of its own, of which the kit has nothing."""
    try:
        next(iter(component.build(data=None).pieces()))
    except (DiffmidiError, StopIteration) as error:
        raise ConformanceError(
            "it reads no piece of a folder of MIDI files and none without --data: where it has a format of its own, say"
            " toy='package.module:function' in its SourceDeclaration, which writes some small pieces into a folder that"
            f" it is given and returns what --data is to be ({error or 'no pieces'})"
        ) from error
