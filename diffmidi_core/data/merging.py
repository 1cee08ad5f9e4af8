"""From shards to one token dataset: copies left out, versions of a piece kept on one side of the split.

The shards are read twice, one after another: first what tells pieces apart, then everything. What is held for each
piece is some tens of bytes; signatures are held in a file.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.data.columns import column, number_column
from diffmidi_core.data.duplicates import SIGNATURE_LENGTH, near_duplicates
from diffmidi_core.data.given_labels import GivenLabels
from diffmidi_core.data.groups import GroupOf, joined, named_keys
from diffmidi_core.data.labels import LabelSummary
from diffmidi_core.data.ragged import hashes as hashes_of
from diffmidi_core.data.ragged import numbers
from diffmidi_core.data.report import TOKENS, Report
from diffmidi_core.data.roundtrip import Loss
from diffmidi_core.data.shards import FOR_MERGING, SCHEMA, Shard
from diffmidi_core.data.signature_file import SignatureFile
from diffmidi_core.data.split import HELDOUT, SIDES, TEST, TRAIN, Sides, split
from diffmidi_core.data.timing import Timing
from diffmidi_core.data.typical import TypicalSummary
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import whole_file
from diffmidi_core.music.reading import printable
from diffmidi_core.wording import cell

SPLIT = "split.csv"

NAMED = 20
"""Versions that the report names, of the largest group."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Merging:
    """How shards become one dataset.

    Args:
        shards: in the source's order.
        source, pieces: what they were made from.
        near: what becomes of versions of one piece: they "group", all but the first "drop", or it does not matter
            ("ignore").
        given: labels of the user's.
        group_of: names groups of the user's, if there are any.
    """

    shards: Sequence[Path]
    source: Source
    pieces: Sequence[Piece]
    near: str
    given: GivenLabels | None
    group_of: GroupOf | None = None

    def write(self, folder: Path, report: Report) -> None:
        """Write tokens.arrow and split.csv into a folder and fill in the report.

        A row of split.csv is a kept piece, in the source's order: its name `piece` (with an apostrophe before what a
        spreadsheet would take for a formula, see `wording.cell`), `notes_hash` (hexadecimal, as
        `duplicates.notes_hash` says it), `group` (the split key in hexadecimal, which pieces share that must stay
        together), and its `side`: train, heldout or test. tokens.arrow has the `side` too, as its place in SIDES.

        Raises DiffmidiError where no piece is left.
        """
        every = self._told_apart(report)
        if not len(every.index):
            raise DiffmidiError(report.nothing_kept())
        first = _first_of_each(every.hashes)
        kept = first == np.arange(len(first))
        self._name_copies(report, every.index, first)
        keys = every.keys if self.group_of is None else self._grouped(report, every, kept, self.group_of)
        if self.near != "ignore":
            group = self._versions(folder, kept)
            original = np.flatnonzero(kept)[group]  # row of the first version, for each kept row
            sizes = np.bincount(group, minlength=len(group))
            versions = every.index[kept][group == sizes.argmax()] if sizes.max() > 1 else every.index[:0]
            report.near_duplicates = {
                "groups": int(np.count_nonzero(sizes > 1)),
                "pieces": int(sizes[sizes > 1].sum()),
                "largest": len(versions),
                "in_largest": [self._name(index) for index in versions[:NAMED]],
            }
            if self.near == "drop":
                rows = np.flatnonzero(kept)
                again = rows != original
                report.near_duplicates["dropped"] = [
                    {"piece": self._name(every.index[row]), "of": self._name(every.index[of])}
                    for row, of in zip(rows[again], original[again], strict=True)
                ]
                kept[rows[again]] = False
            else:
                keys = keys.copy()
                keys[kept] = joined(keys[kept], group)
        sides = np.full(len(kept), TRAIN, dtype=np.int8)
        sides[kept] = split(keys[kept], report.heldout_share, report.test_share)
        counts = np.bincount(sides[kept], minlength=len(SIDES))
        report.kept, report.heldout, report.test = int(kept.sum()), int(counts[HELDOUT]), int(counts[TEST])
        report.largest_group = int(np.unique(keys[kept], return_counts=True)[1].max())
        self._copy(folder, report, kept, keys, sides)

    def _told_apart(self, report: Report) -> _Every:
        index, keys, hashes, loss = [], [], [], Loss()
        for _, shard in self._opened():
            index.append(numbers(shard.table.column("index")).copy())
            keys.append(numbers(shard.table.column("key")).copy())
            hashes.append(hashes_of(shard.table.column("notes_hash")))
            loss.merge(shard.loss)
            for reason, sentence in shard.refused:
                report.refuse(reason, sentence)
        report.round_trip = loss.summary()
        return _Every(np.concatenate(index), np.concatenate(keys), np.concatenate(hashes))

    def _opened(self) -> Iterator[tuple[slice, Shard]]:
        """Each shard, and which of all rows it holds."""
        begin = 0
        for path in self.shards:
            with Shard.opened(path) as shard:
                yield slice(begin, begin + shard.table.num_rows), shard
                begin += shard.table.num_rows

    def _name(self, index: Any) -> str:
        return printable(self.pieces[int(index)].id)

    def _grouped(self, report: Report, every: _Every, kept: NDArray[np.bool_], group_of: GroupOf) -> Rows:
        """The split keys, those of named groups by their names."""
        names = [group_of(self.pieces[index].id) for index in every.index.tolist()]
        members = [name for name, stays in zip(names, kept.tolist(), strict=True) if name and stays]
        report.grouped |= {"groups": len(set(members)), "pieces": len(members)}
        return named_keys(every.keys, names)

    def _name_copies(self, report: Report, index: Rows, first: Rows) -> None:
        for row in np.flatnonzero(first != np.arange(len(first))):
            piece, of = self.pieces[int(index[row])], self.pieces[int(index[first[row]])]
            digest = self.source.digest(piece)
            same = "bytes" if digest and digest == self.source.digest(of) else "notes"
            report.copies.append({"piece": printable(piece.id), "of": printable(of.id), "same": same})
        report.duplicates = len(report.copies)

    def _versions(self, folder: Path, kept: NDArray[np.bool_]) -> Rows:
        """The lowest row of each kept row's group, both counted among the kept rows."""
        with SignatureFile.at(folder / "signatures", (int(kept.sum()), SIGNATURE_LENGTH)) as table:
            begin = 0
            for rows, shard in self._opened():
                every = numbers(shard.table.column("signature").values).reshape(-1, SIGNATURE_LENGTH)
                signatures = every[kept[rows]]
                table.write(begin, signatures)
                begin += len(signatures)
            return near_duplicates(table)

    def _copy(self, folder: Path, report: Report, kept: NDArray[np.bool_], keys: Rows, sides: Sides) -> None:
        digest = hashlib.sha256(report.tokenizer.encode())
        changed: Counter[str] = Counter()
        labels, played = LabelSummary(), TypicalSummary()
        schema = pa.schema([field for field in SCHEMA if field.name not in FOR_MERGING]).append(
            pa.field("side", pa.int8())
        )
        seconds = 0.0
        with (
            whole_file(folder / TOKENS) as tokens,
            whole_file(folder / SPLIT) as manifest,
            pa.OSFile(str(tokens), "wb") as file,
            pa.ipc.new_stream(file, schema) as stream,
            manifest.open("w", encoding="utf-8", newline="") as text,
        ):
            lines = csv.writer(text)
            lines.writerow(("piece", "notes_hash", "group", "side"))
            for rows, shard in self._opened():
                here = np.flatnonzero(kept[rows])
                if not len(here):
                    continue
                table = (
                    shard.table
                    if len(here) == shard.table.num_rows
                    else shard.table.take(number_column(here, pa.int64()))
                )
                columns = {name: table.column(name) for name in SCHEMA.names}
                columns["key"] = number_column(keys[rows][here], pa.int64())
                columns["side"] = number_column(sides[rows][here], pa.int8())
                piece_labels = json.loads(f"[{','.join(columns['labels'].to_pylist())}]")
                if self.given is not None:
                    at = columns["index"].to_pylist()
                    piece_labels = [
                        self.given.override(own, self.pieces[place].id)
                        for own, place in zip(piece_labels, at, strict=True)
                    ]
                    columns["labels"] = column(
                        [json.dumps(own, ensure_ascii=False) for own in piece_labels], pa.string()
                    )
                stream.write_batch(pa.RecordBatch.from_arrays([columns[field.name] for field in schema], schema=schema))
                words = numbers(columns["ids"].values)
                digest.update(words.astype("<i4", copy=False).tobytes())
                report.words += len(words)
                report.notes += int(numbers(columns["notes"]).sum())
                report.one_velocity += int(numbers(columns["one_velocity"]).sum())
                for flag in Timing:
                    report.timing[str(flag.name).lower()] += int(np.count_nonzero(numbers(columns["timing"]) & flag))
                seconds += float(numbers(columns["seconds"]).sum())
                labels.add(piece_labels)
                played.add(columns["qpm"], columns["metre"], sides[rows][here] == TRAIN)
                for counts in filter(None, columns["changed"].to_pylist()):
                    changed.update(json.loads(counts))
                for name, counts in zip(columns["id"].to_pylist(), columns["read"].to_pylist(), strict=True):
                    report.add_reading(name, json.loads(counts))
                lines.writerows(
                    (cell(name), code.hex(), f"{key:016x}", SIDES[side])
                    for name, code, key, side in zip(
                        columns["id"].to_pylist(),
                        columns["notes_hash"].to_pylist(),
                        columns["key"].to_pylist(),
                        sides[rows][here].tolist(),
                        strict=True,
                    )
                )
        report.hours = round(seconds / 3600, 3)
        report.changed = dict(sorted(changed.items()))
        report.labels, report.typical = labels.as_dict(), played.as_dict()
        report.fingerprint = digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Every:
    """Of every usable piece: its place in the source, its split key, and the hash of its notes [N, 2]."""

    index: Rows
    keys: Rows
    hashes: NDArray[np.uint64]


def _first_of_each(hashes: NDArray[np.uint64]) -> Rows:
    """[N] the first row that has the hash of each."""
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    new = np.append(True, (hashes[order[1:]] != hashes[order[:-1]]).any(axis=1))
    first = np.empty(len(order), dtype=np.int64)
    # The sort is stable: the first of a run of equal hashes is the lowest row.
    first[order] = order[np.flatnonzero(new)][np.cumsum(new) - 1]
    return first
