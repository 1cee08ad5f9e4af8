"""What the tests of tables share: music as bytes and as notes, and sources built on a table that was just written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diffmidi.api.renderer import notes_of
from diffmidi.api.source import Piece, Source
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import find

SCALE, TUNE = toy_scores()["scale"], toy_scores()["tune"]
SCALE_BYTES, TUNE_BYTES = SCALE.dumps_midi(), TUNE.dumps_midi()
NOTES = {"start": [0.5, 0.0], "end": [1.0, 0.25], "pitch": [64, 60], "velocity": [90, 80]}


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def build(kind: str, data: Path | str | None, **options: Any) -> Source:
    source: Source = find("source", kind).build(options, data=None if data is None else str(data))
    return source


def ids(source: Source) -> list[str]:
    return [piece.id for piece in source.pieces()]


def pitches(source: Source, piece: str) -> list[int]:
    return notes_of(source.read(Piece(piece))).pitch.tolist()


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test may ask the hub, and none leaves anything in the user's cache."""
    import datasets

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
