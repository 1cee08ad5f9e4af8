"""Labels on their way: measured and given, through a preparation, and back from the token dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffmidi.api.tokenizer import notes_of
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.data.labels import measured
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.errors import UsageError
from diffmidi_core.hooks import Hooks

from .conftest import Scores, piece_of


@pytest.fixture
def prepared(tmp_path: Path, tokenizer):
    def make(scores, csv: str | None = None) -> TokenDataset:
        path = tmp_path / "labels.csv"
        if csv is not None:
            path.write_text(csv, encoding="utf-8")
        folder = tmp_path / "data"
        prepare(
            Scores(scores),
            tokenizer,
            folder,
            Choices(heldout=0.3, labels=path if csv is not None else None),
            hooks=Hooks(),
        )
        return TokenDataset(folder, tokenizer, length=32)

    return make


def by_name(data: TokenDataset) -> dict[str, dict[str, str | float]]:
    pieces = (*data.train_pieces, *data.heldout_pieces)
    return {data.name(piece): data.labels(piece) for piece in pieces}


def of_notes(score):
    return measured(score, notes_of(score))


def test_what_is_measured_comes_back_with_the_folder(prepared):
    scores = {"bach/a": piece_of(1), "b": piece_of(2), "bach/c/d": piece_of(3)}
    data = prepared(scores)
    assert by_name(data) == {
        "bach/a": {"folder": "bach", **of_notes(scores["bach/a"])},
        "b": of_notes(scores["b"]),
        "bach/c/d": {"folder": "bach", **of_notes(scores["bach/c/d"])},
    }
    assert data.report["labels"]["folder"] == {"pieces": 2, "values": {"bach": 2}, "others": 0}
    assert data.report["labels"]["density"]["pieces"] == 3


def test_a_table_goes_over_what_is_measured(prepared):
    data = prepared({"a": piece_of(1), "b": piece_of(2)}, "id,mode,mood,year\na,dorian,müde,1722\n")
    labels = by_name(data)
    assert (labels["a"]["mode"], labels["a"]["mood"], labels["a"]["year"]) == ("dorian", "müde", 1722.0)
    assert not {"mode", "mood", "year"} & set(labels["b"])
    assert labels["b"]["key"] == of_notes(piece_of(2))["key"]
    assert any("labels.csv: 1 of 2 pieces have no row." in each for each in data.report["warnings"])
    assert data.report["labels"]["year"] == {"pieces": 1, "min": 1722.0, "max": 1722.0}


def test_a_table_of_other_pieces_is_said_and_leaves_nothing(prepared, tmp_path: Path):
    with pytest.raises(UsageError, match=r"no row of .*labels\.csv names the only piece"):
        prepared({"a": piece_of(1)}, "id,mood\nz,calm\n")
    assert not (tmp_path / "data").exists()
