"""hub: the rows of a data set are pieces, split by split."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffmidi.api import DiffmidiError, RefusedError, UsageError
from diffmidi.api.renderer import notes_of
from diffmidi.api.source import Piece

from .rows import SCALE_BYTES, TUNE, TUNE_BYTES, build, ids, pitches, write
from .rows import offline as offline


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the hub keeps a data set: two splits of a few rows."""
    folder = tmp_path_factory.mktemp("set")
    struct = [{"bytes": each, "path": "x.mid"} for each in (SCALE_BYTES, b"bad", TUNE_BYTES)]
    write(folder / "data" / "train-00000-of-00001.parquet", {"title": ["a", "b", "c"], "midi": struct})
    write(folder / "data" / "test-00000-of-00001.parquet", {"title": ["d"], "midi": struct[:1]})
    return folder


def test_a_data_set_is_read_by_split_and_row(dataset: Path):
    source = build("hub", f"hub:{dataset}")
    assert ids(source) == ["train:0", "train:1", "train:2"]
    assert pitches(source, "train:2") == notes_of(TUNE).pitch.tolist()
    assert len(pitches(source, "train:0")) == 8
    with pytest.raises(RefusedError, match=r"row 1 of split 'train' of the data set .* is not a MIDI file"):
        source.read(Piece("train:1"))
    assert ids(build("hub", dataset, split="test")) == ["test:0"]
    assert len(ids(build("hub", dataset, split="all"))) == 4
    assert ids(build("hub", dataset, split="train[:2]")) == ["train[:2]:0", "train[:2]:1"]
    assert source.stamp(Piece("train:0")) == build("hub", dataset).stamp(Piece("train:0")) != ""


@pytest.mark.parametrize("piece", ["train:3", "test:0", "train", "nothing"])
def test_a_row_that_a_data_set_has_not_is_refused(dataset: Path, piece: str):
    with pytest.raises(RefusedError, match="there is no row"):
        build("hub", dataset).read(Piece(piece))


def test_what_is_wrong_with_a_data_set_is_one_sentence(dataset: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for data, options, kind, said in (
        (None, {}, UsageError, "give --data hub:NAME"),
        ("hub:", {}, UsageError, "give --data hub:NAME"),
        ("hub:not a name", {}, UsageError, "'not a name' is not the name of a data set"),
        ("hub:user/set", {}, DiffmidiError, "the Hugging Face hub cannot be reached, and the data set user/set is not"),
        (tmp_path / "empty", {}, DiffmidiError, "cannot be opened"),
        (dataset, {"split": "valid"}, DiffmidiError, 'Unknown split "valid"'),
        (dataset, {"config": "big"}, DiffmidiError, "cannot be opened"),
        (dataset, {"column": "title"}, UsageError, "column 'title' of the data set"),
    ):
        with pytest.raises(kind) as caught:
            ids(build("hub", data, **options))
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
