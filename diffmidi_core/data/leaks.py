"""Leaks: which pieces of one set of music are in another one too, under whatever name, in whatever key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.data.duplicates import (
    SIGNATURE_LENGTH,
    THRESHOLD,
    Signature,
    agreements_needed,
    nearest,
    notes_hash,
    signature,
)
from diffmidi_core.data.passages import Elements, common_passages, elements
from diffmidi_core.data.ragged import numbers
from diffmidi_core.errors import DiffmidiError, RefusedError
from diffmidi_core.files import may_not_be_read
from diffmidi_core.music.notes import notes_of
from diffmidi_core.music.reading import printable
from diffmidi_core.registry import find, source_of

SAME_FILE, SAME_NOTES, SAME_VOICES, VERSION, PASSAGE = KINDS = (
    "the same file",
    "the same notes",
    "the same outer voices (another key, tempo or arrangement)",
    "a version (another performance or edition, or most of it)",
    "an excerpt, or another passage in common",
)
"""How a piece can be in another set, the plainest first.

What can be found of an excerpt depends on its length, not on that of the whole: of 24 notes two in three, of 32 nine in
ten, of 64 and more nearly all (benchmarks/README.md). Of an excerpt of another performance much less.
"""

_TOKENS = "tokens.arrow"
_COLUMNS = ("id", "notes_hash", "signature", "elements")

Tick = Callable[[int, int], None]
"""Told how many pieces are done, of how many."""


@dataclass(frozen=True)
class PieceSet:
    """What tells the pieces of a set apart, a row a piece.

    Attributes:
        names: what the source calls them, fit to print.
        hashes: of the notes; see `notes_hash`.
        signatures: [N, 128]; see `signature`.
        elements: of passages; see `elements`.
        files: hashes of the files' bytes; empty for a prepared set, which keeps the notes alone.
        refused: how many pieces could not be read.
    """

    names: Sequence[str]
    hashes: Sequence[bytes]
    signatures: NDArray[np.uint32]
    elements: Sequence[Elements]
    files: Sequence[bytes] = ()
    refused: int = 0


@dataclass(frozen=True)
class Leak:
    """A piece that is in both sets: its name in each, how it is the same, and how much.

    Attributes:
        similarity: of the signatures; of an excerpt or a passage, which share of the piece the other has.
    """

    piece: str
    other: str
    kind: str
    similarity: float


def read_set(path: Path, tick: Tick = lambda done, of: None) -> PieceSet:
    """A run, its data folder, a folder of MIDI files or one such file.

    Raises DiffmidiError where there is no music, or data of a version that did not yet store what is needed.
    """
    for folder in (path, path / "data"):
        if (folder / _TOKENS).is_file():
            return _prepared(folder / _TOKENS)
    if (path / "config.json").is_file():
        raise DiffmidiError(
            f"the run {path} holds no prepared data: go on with it by `diffmidi run --resume {path}`, or give "
            "the folder of its music."
        )
    return _midi(path, tick)


def find_leaks(one: PieceSet, two: PieceSet, threshold: float = THRESHOLD) -> list[Leak]:
    """The pieces of `two` that are in `one`, each once: with the plainest kind of sameness, the plainest first.

    Raises ValueError for a threshold that `near_duplicates` would refuse.
    """
    agreements_needed(threshold, SIGNATURE_LENGTH)
    rows, similarity = nearest(two.signatures, one.signatures)
    files, hashes = ({name: row for row, name in enumerate(column)} for column in (one.files, one.hashes))
    passages, parts = common_passages(two.elements, one.elements)
    leaks: list[tuple[int, float, Leak]] = []
    for row, name in enumerate(two.names):
        share = float(similarity[row])
        if two.files and two.files[row] in files:
            kind, other, share = SAME_FILE, files[two.files[row]], 1.0
        elif two.hashes[row] in hashes:
            kind, other, share = SAME_NOTES, hashes[two.hashes[row]], 1.0
        elif share >= threshold:
            kind, other = SAME_VOICES if share == 1 else VERSION, int(rows[row])
        elif passages[row] >= 0:
            kind, other, share = PASSAGE, int(passages[row]), float(parts[row])
        else:
            continue
        leaks.append((KINDS.index(kind), -share, Leak(name, one.names[other], kind, share)))
    return [leak for *_, leak in sorted(leaks, key=lambda leak: leak[:2])]


def _prepared(file: Path) -> PieceSet:
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as mapped, pa.ipc.open_stream(mapped) as stream:
            if missing := [name for name in _COLUMNS if name not in stream.schema.names]:
                raise DiffmidiError(
                    f"{file.parent} was prepared by a version that did not store {' and '.join(missing)} of pieces: "
                    "prepare it again, or give the folder of MIDI files."
                )
            names: list[str] = []
            hashes: list[bytes] = []
            passages: list[Elements] = []
            signatures = [np.zeros((0, SIGNATURE_LENGTH), dtype=np.uint32)]
            for batch in stream:
                batch.validate(full=True)
                names += batch.column("id").to_pylist()
                hashes += batch.column("notes_hash").to_pylist()
                signatures.append(numbers(batch.column("signature").flatten()).reshape(-1, SIGNATURE_LENGTH).copy())
                passages += [np.array(row.values, dtype=np.uint32) for row in batch.column("elements")]
    except PermissionError:
        raise may_not_be_read(file) from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DiffmidiError(f"{file} is damaged ({str(error)[:200]}): prepare it again.") from None
    return PieceSet(names, hashes, np.concatenate(signatures), passages)


def _midi(path: Path, tick: Tick) -> PieceSet:
    source = find("source", source_of(str(path))).build({}, data=str(path))
    pieces = list(source.pieces())
    names: list[str] = []
    hashes: list[bytes] = []
    files: list[bytes] = []
    signatures: list[Signature] = []
    passages: list[Elements] = []
    for done, piece in enumerate(pieces):
        tick(done, len(pieces))
        try:
            score = source.read(piece)
        except RefusedError:
            continue
        names.append(printable(piece.id))
        notes = notes_of(score)
        hashes.append(notes_hash(notes, score.ticks_per_quarter))
        signatures.append(signature(notes))
        passages.append(elements(notes))
        files.append(_bytes_hash(path / piece.id if path.is_dir() else path))
    tick(len(pieces), len(pieces))
    if not names:
        raise DiffmidiError(f"none of the {len(pieces)} MIDI files in {printable(path)} could be read.")
    return PieceSet(names, hashes, np.stack(signatures), passages, files, refused=len(pieces) - len(names))


def _bytes_hash(file: Path) -> bytes:
    return hashlib.blake2b(file.read_bytes(), digest_size=16).digest()
