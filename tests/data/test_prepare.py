"""prepare: what is kept, what is refused, and that nothing half-written stays."""

import json

import pytest

from diffmidi_core.data.prepare import prepare
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.hooks import Hooks

from .conftest import Scores, piece_of


def run(scores, folder, tokenizer, **groups):
    return prepare(Scores(scores, groups), tokenizer, folder, heldout=0.3, hooks=Hooks())


def test_it_counts_what_it_kept_and_names_what_it_refused(tmp_path, tokenizer):
    scores = {"a": piece_of(1), "b": piece_of(2, notes=10), "copy of a": piece_of(1), "broken": None}
    report = run(scores, tmp_path / "data", tokenizer)
    assert (report.found, report.kept, report.duplicates) == (4, 2, 1)
    assert report.refused == {"corrupt": ["broken is damaged."]}
    assert (report.notes, report.words, report.heldout) == (50, 200, 1)
    assert json.loads((tmp_path / "data" / "data.json").read_text())["kept"] == 2


def test_the_same_music_gives_the_same_bytes(tmp_path, tokenizer):
    for name in ("one", "two"):
        run({"a": piece_of(1), "b": piece_of(2)}, tmp_path / name, tokenizer)
    for file in ("tokens.arrow", "data.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_other_music_has_another_fingerprint(tmp_path, tokenizer):
    one = run({"a": piece_of(1)}, tmp_path / "one", tokenizer)
    other = run({"a": piece_of(2)}, tmp_path / "two", tokenizer)
    assert one.fingerprint != other.fingerprint


def test_nothing_usable_is_one_sentence_and_leaves_nothing(tmp_path, tokenizer):
    with pytest.raises(DiffmidiError, match=r"none of the 2 pieces could be used \(2 corrupt\). The first: x"):
        run({"x": None, "y": None}, tmp_path / "data", tokenizer)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_preparation_leaves_nothing(tmp_path, tokenizer):
    class Interrupting(Scores):
        def read(self, piece):
            if piece.id == "b":
                raise KeyboardInterrupt
            return super().read(piece)

    with pytest.raises(KeyboardInterrupt):
        prepare(
            Interrupting({"a": piece_of(1), "b": piece_of(2)}), tokenizer, tmp_path / "data", heldout=0.1, hooks=Hooks()
        )
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_not_text_are_kept_printable(tmp_path, tokenizer):
    report = run({"bad\udcff.mid": piece_of(1), "worse\udcfe\n.mid": None}, tmp_path / "data", tokenizer)
    assert report.kept == 1
    (name,) = report.refused["corrupt"]
    assert name.startswith("worse\\udcfe\\n.mid")
