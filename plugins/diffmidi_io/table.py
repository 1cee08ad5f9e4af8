"""What tables of music share: which column holds it, the score in one of its cells, and what a row is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from diffmidi.api import RefusedError, UsageError
from diffmidi.api.source import Notes, Score, cut, listed, printable, read_midi_bytes_counted, score_of

USUAL = ("midi", "bytes", "content", "file", "data", "notes")
"""What a column of music is usually called; where several fit, the first of these."""
NOTE = ("start", "end", "duration", "pitch", "velocity")
"""What is known of a note; the end or the duration will do."""
VELOCITY = 80
"""Of notes that say nothing of loudness."""
SECONDS_PER_QUARTER, TICKS_PER_QUARTER = 0.5, 960
"""Of a score made from notes in seconds: 120 quarter notes a minute, and about half a millisecond a tick."""
DAY = 86_400
"""Seconds: no piece lasts as long."""


def music_column(schema: pa.Schema, chosen: str | None, table: str) -> str:
    """The name of the column that holds music: the chosen one, the only one, or the one with a usual name.

    A cell is the bytes of a MIDI file, a struct {bytes, path} as `datasets` keeps files, or lists of notes: pitch,
    start, and end or duration, in seconds, with velocity if known.

    Args:
        schema: of the table.
        chosen: what the user named, or None.
        table: what error messages call the table.

    Raises UsageError where there is no such column, or no way to tell which.
    """
    kinds: dict[str, pa.DataType] = dict(zip(schema.names, schema.types, strict=True))
    fitting = [name for name, kind in kinds.items() if _holds_music(kind)]
    if chosen is not None:
        if chosen not in kinds:
            raise UsageError(f"{table} has no column '{printable(chosen)}': its columns are {listed(kinds)}.")
        if chosen not in fitting:
            raise UsageError(
                f"column '{printable(chosen)}' of {table} holds {cut(printable(kinds[chosen]))}, and neither the bytes "
                "of MIDI files nor notes."
            )
        return chosen
    if not fitting:
        raise UsageError(f"{table} has no column of MIDI files as bytes: its columns are {listed(kinds)}.")
    usual = sorted((name for name in fitting if name.lower() in USUAL), key=lambda name: USUAL.index(name.lower()))
    if len(fitting) > 1 and not usual:
        raise UsageError(f"{table} may hold music in {listed(fitting)}: say which with -o source.column=NAME.")
    return (usual or fitting)[0]


def score_in(cell: Any, name: str) -> tuple[Score, Mapping[str, int]]:
    """The score in a cell, as Python sees it, and what was counted as it was read; `name` is what errors call it.

    Raises RefusedError.
    """
    if isinstance(cell, Mapping) and "bytes" in cell:
        if cell["bytes"] is None and cell.get("path"):
            raise RefusedError("missing", f"{name} is a path ({printable(cell['path'])}) and not the file's bytes.")
        cell = cell["bytes"]
    if cell is None:
        raise RefusedError("missing", f"{name} has no music: its cell is null.")
    return read_midi_bytes_counted(cell, name) if isinstance(cell, bytes) else (_from_notes(cell, name), {})


def _from_notes(cell: Any, name: str) -> Score:
    try:
        if not isinstance(cell, Mapping):
            cell = {key: [note[key] for note in cell] for key in (cell[0] if cell else NOTE)}
        cell = {key: np.array(values, dtype=np.float64) for key, values in cell.items() if key in NOTE}
        start, pitch = cell["start"], cell["pitch"]
        end = cell["end"] if "end" in cell else start + cell["duration"]
        velocity = cell.get("velocity", np.full(len(pitch), VELOCITY))
        seconds, midi = np.stack([start, end]), np.stack([pitch, velocity])
    except (KeyError, TypeError, ValueError):
        raise RefusedError("bad_notes", f"{name} does not hold lists of notes that are equally long.") from None
    if not len(start):
        raise RefusedError("no_notes", f"{name} holds no note.")
    legal = (midi == midi.round()) & (midi >= [[0], [1]]) & (midi <= 127) & (seconds >= 0) & (seconds < DAY)
    if not (legal.all() and (start <= end).all()):
        raise RefusedError("bad_notes", f"{name} holds a note whose time, pitch or velocity cannot be.")
    onset, offset = np.round(seconds * TICKS_PER_QUARTER / SECONDS_PER_QUARTER).astype(np.int64)
    return score_of(Notes(onset, offset - onset, *midi.astype(np.int64)), TICKS_PER_QUARTER)


def _holds_music(kind: pa.DataType) -> bool:
    if _is_bytes(kind):
        return True
    if _is_list(kind):
        return pa.types.is_struct(kind.value_type) and _names_notes(kind.value_type)
    if not pa.types.is_struct(kind):
        return False
    if kind.get_field_index("bytes") >= 0:
        return _is_bytes(kind.field("bytes").type)
    return _names_notes(kind) and _is_list(kind.field("pitch").type)


def _names_notes(kind: pa.StructType) -> bool:
    names = {field.name for field in kind}
    return {"pitch", "start"} <= names and bool({"end", "duration"} & names)


def _is_bytes(kind: pa.DataType) -> bool:
    of = pa.types
    return any((of.is_binary(kind), of.is_large_binary(kind), of.is_fixed_size_binary(kind)))


def _is_list(kind: pa.DataType) -> bool:
    of = pa.types
    return any((of.is_list(kind), of.is_large_list(kind), of.is_fixed_size_list(kind)))


def row_of(piece_id: str) -> tuple[str, int]:
    """`train:12` to ("train", 12). Raises RefusedError for what is not the id of a row."""
    table, _, row = piece_id.rpartition(":")
    if not (row.isascii() and row.isdecimal()):
        raise no_such_row(piece_id)
    return table, int(row)


def no_such_row(piece_id: str) -> RefusedError:
    """The error for a row that is not there (any more)."""
    return RefusedError("missing", f"there is no row {printable(piece_id)}.")
