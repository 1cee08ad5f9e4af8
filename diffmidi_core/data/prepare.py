"""prepare: read every piece of a source, write its words to an Arrow file, and say what was kept and what was not."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.data.split import is_heldout, split_key
from diffmidi_core.errors import DiffmidiError, RefusedError
from diffmidi_core.files import whole_folder, write_json
from diffmidi_core.hooks import Hooks
from diffmidi_core.music.reading import printable

TOKENS, REPORT, TOKENIZER = "tokens.arrow", "data.json", "tokenizer"


@dataclass
class Report:
    """What a preparation found; saved as data.json."""

    found: int = 0
    kept: int = 0
    duplicates: int = 0
    refused: dict[str, list[str]] = field(default_factory=dict)
    notes: int = 0
    words: int = 0
    changed: dict[str, int] = field(default_factory=dict)
    heldout_share: float = 0.1
    heldout: int = 0
    tokenizer: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class _Encoded:
    piece: Piece
    key: int
    ids: Ids


def prepare(source: Source, tokenizer: Tokenizer, folder: Path, *, heldout: float, hooks: Hooks) -> Report:
    """Write the token dataset of a source into `folder`, whole or not at all.

    Raises DiffmidiError where no piece at all could be used.
    """
    from datasets import Features, List, Value
    from datasets.arrow_writer import ArrowWriter

    features = Features(id=Value("string"), key=Value("int64"), ids=List(Value("int32")), starts=List(Value("int32")))
    report = Report(heldout_share=heldout, tokenizer=tokenizer.fingerprint)
    digest = hashlib.sha256(tokenizer.fingerprint.encode())
    keys: list[int] = []
    with whole_folder(folder) as temporary:
        with ArrowWriter(path=str(temporary / TOKENS), features=features, writer_batch_size=500) as writer:
            for encoded in _encode_all(source, tokenizer, report, hooks):
                name = printable(encoded.piece.id)
                starts = tokenizer.starts(encoded.ids).astype(np.int32)
                writer.write({"id": name, "key": encoded.key, "ids": encoded.ids, "starts": starts})
                digest.update(encoded.ids.astype("<i4").tobytes())
                keys.append(encoded.key)
            if not keys:
                raise DiffmidiError(_nothing(report))
            writer.finalize()
        report.heldout = int(is_heldout(np.array(keys, dtype=np.int64), heldout).sum())
        report.fingerprint = digest.hexdigest()[:16]
        tokenizer.save(temporary / TOKENIZER)
        write_json(temporary / REPORT, asdict(report))
    return report


def _encode_all(source: Source, tokenizer: Tokenizer, report: Report, hooks: Hooks) -> Iterator[_Encoded]:
    pieces = list(source.pieces())
    report.found = len(pieces)
    seen: set[bytes] = set()
    changed: Counter[str] = Counter()
    for done, piece in enumerate(pieces):
        hooks.emit("progress", what="pieces", done=done, total=len(pieces))
        try:
            score = source.read(piece)
            ids, counts = tokenizer.encode_counted(score)
            if not tokenizer.count_notes(ids):
                raise RefusedError("no_notes", f"{printable(piece.id)} has no notes left after encoding.")
        except RefusedError as error:
            report.refused.setdefault(error.reason, []).append(printable(str(error)))
            continue
        fingerprint = hashlib.blake2b(ids.tobytes(), digest_size=16).digest()
        if fingerprint in seen:
            report.duplicates += 1
            continue
        seen.add(fingerprint)
        changed.update(counts)
        report.kept += 1
        report.notes += tokenizer.count_notes(ids)
        report.words += len(ids)
        yield _Encoded(piece, split_key(piece.group, score), ids)
    report.changed = dict(sorted(changed.items()))
    hooks.emit("progress", what="pieces", done=len(pieces), total=len(pieces))


def _nothing(report: Report) -> str:
    why = "; ".join(f"{len(names)} {reason.replace('_', ' ')}" for reason, names in sorted(report.refused.items()))
    first = next((names[0] for names in report.refused.values()), "")
    return f"none of the {report.found} pieces could be used ({why}). The first: {first}"


def summary(report: Report) -> dict[str, Any]:
    """The report in one line's worth of figures."""
    refused = sum(map(len, report.refused.values()))
    return {
        "pieces": report.kept,
        "held out": report.heldout,
        "notes": report.notes,
        "words": report.words,
        "duplicates": report.duplicates,
        "refused": refused,
    }
