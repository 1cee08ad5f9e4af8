"""Shards: a few hundred pieces as tokens, with all that was found about them, in one file that is there or not."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.columns import column
from diffmidi_core.data.duplicates import SIGNATURE_LENGTH, notes_hash, signature
from diffmidi_core.data.labels import folder_label
from diffmidi_core.data.labels import measured as measured_labels
from diffmidi_core.data.passages import elements
from diffmidi_core.data.roundtrip import Loss
from diffmidi_core.data.split import split_key
from diffmidi_core.data.timing import timing_of
from diffmidi_core.data.typical import NO_METRE
from diffmidi_core.errors import DiffmidiError, RefusedError
from diffmidi_core.files import whole_file
from diffmidi_core.music.notes import notes_of
from diffmidi_core.music.pedal import has_pedal
from diffmidi_core.music.reading import printable
from diffmidi_core.music.tempo import seconds
from diffmidi_core.music.timeline import typical

SIZE = 256
"""Pieces in a shard: what a killed preparation does again at most, for each process."""

_AS_JSON = json.JSONEncoder(ensure_ascii=False)
_INT32S = pa.list_(pa.int32())
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "key": pa.int64(),
        "ids": _INT32S,
        "starts": _INT32S,
        "notes": pa.int32(),
        "seconds": pa.float64(),
        "notes_hash": pa.binary(16),
        "signature": pa.list_(pa.uint32(), SIGNATURE_LENGTH),
        "elements": pa.list_(pa.uint32()),
        "labels": pa.string(),
        "timeline": pa.string(),
        # What follows is for the merging, and does not stay.
        "index": pa.int64(),
        "one_velocity": pa.int8(),
        "changed": pa.string(),
        "timing": pa.int8(),
        "read": pa.string(),
        "qpm": pa.float64(),
        "metre": pa.string(),
    }
)
FOR_MERGING = ("index", "one_velocity", "changed", "timing", "read", "qpm", "metre")


@dataclass
class Shard:
    """What became of some pieces of a source.

    Attributes:
        table: a row for each piece that can be used; see SCHEMA. `index` is its place in the source's order.
        refused: reason and sentence of each piece that cannot.
        loss: of the round trip, for the pieces it was measured on.
    """

    table: pa.RecordBatch
    refused: list[tuple[str, str]] = field(default_factory=list)
    loss: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the shard, whole or not at all."""
        metadata = json.dumps({"refused": self.refused, "loss": self.loss})
        with (
            whole_file(path) as temporary,
            pa.OSFile(str(temporary), "wb") as file,
            pa.ipc.new_stream(file, SCHEMA.with_metadata({"diffmidi": metadata})) as stream,
        ):
            stream.write_batch(self.table)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path) -> Iterator[Shard]:
        """A shard whose table lies in the memory-mapped file. Raises DiffmidiError where the file is damaged."""
        try:
            with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
                metadata = json.loads(stream.schema.metadata[b"diffmidi"])
                table = stream.read_next_batch()
                table.validate(full=True)
                yield cls(table, [(reason, text) for reason, text in metadata["refused"]], metadata["loss"])
        except (pa.ArrowException, KeyError, TypeError, ValueError, RecursionError, StopIteration) as error:
            raise DiffmidiError(f"{path} is damaged: delete it, and give the same command again.") from error


def make_shard(
    source: Source,
    tokenizer: Tokenizer,
    pieces: Sequence[Piece],
    first: int,
    *,
    measured: float,
    tick: Callable[[int], None] = lambda done: None,
) -> Shard:
    """Read and encode pieces; the first of them is the source's piece number `first`.

    Args:
        measured: the share of the pieces whose round trip is measured; a hash of their names says which.
        tick: told how many are done, before each.
    """
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    refused: list[tuple[str, str]] = []
    loss = Loss()
    for place, piece in enumerate(pieces):
        tick(place)
        try:
            row = _row(source, tokenizer, piece, loss if _chosen(piece.id, measured) else None)
        except RefusedError as error:
            refused.append((error.reason, printable(str(error))))
            continue
        row["index"] = first + place
        for name, values in columns.items():
            values.append(row[name])
    arrays = [column(columns[name], SCHEMA.field(name).type) for name in SCHEMA.names]
    return Shard(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA), refused, vars(loss))


def _row(source: Source, tokenizer: Tokenizer, piece: Piece, loss: Loss | None) -> dict[str, Any]:
    name = printable(piece.id)
    try:
        score, counts = source.read_counted(piece)
        notes = notes_of(score)
        encoded = tokenizer.encode_piece(score, notes)
        if not encoded.notes:
            why = ", ".join(f"{what.replace('_', ' ')}: {many:,}" for what, many in encoded.changed.items())
            raise RefusedError("no_notes", f"{name} has no notes left after encoding{f' ({why})' if why else ''}.")
        if loss is not None:
            loss.add(score, tokenizer.decode(encoded.ids))
        name_of_notes = notes_hash(notes, score.ticks_per_quarter)
        end = (notes.onset + notes.duration).max(keepdims=True)
        lasting = float(seconds(score, end)[0])
        qpm, metre = typical(score, int(end[0]), lasting)
        return {
            "id": name,
            "key": split_key(piece.group, name_of_notes),
            "ids": encoded.ids,
            "starts": encoded.starts,
            "notes": encoded.notes,
            "seconds": lasting,
            "notes_hash": name_of_notes,
            "signature": signature(notes),
            "elements": elements(notes),
            "labels": _AS_JSON.encode({**folder_label(piece.id), **measured_labels(score, notes)}),
            "timeline": encoded.timeline.as_json(),
            "one_velocity": bool((notes.velocity == notes.velocity[0]).all()),
            "changed": json.dumps(dict(encoded.changed)) if encoded.changed else "",
            "timing": int(timing_of(score, notes)),
            "read": json.dumps({**counts, "with_pedal": int(has_pedal(score))}),
            "qpm": np.nan if qpm is None else qpm,
            "metre": NO_METRE if metre is None else f"{metre[0]}/{metre[1]}",
        }
    except DiffmidiError:
        raise
    except Exception as error:
        # A part that fails on one piece of a million must not cost the others; it is named, and counted.
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise RefusedError(
            "crashed", f"{name} made {_blamed(error)} fail ({reason}); please report it there."
        ) from error


def _blamed(error: Exception) -> str:
    """The package in which an exception was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals.get("__name__", "?")).partition(".")[0] if trace else "?"


def _chosen(name: str, share: float) -> bool:
    said = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(said, "little") < share * 2**64
