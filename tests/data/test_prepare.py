"""prepare: what is kept, what is refused, and that nothing half-written stays."""

import json
from dataclasses import asdict

import pytest
from symusic.core import ControlChangeTick

from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.data.report import figures
from diffmidi_core.data.sustained import Sustained
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.hooks import Hooks

from .conftest import Scores, piece_of


def run(scores, folder, tokenizer, **groups):
    return prepare(Scores(scores, groups), tokenizer, folder, Choices(heldout=0.3), hooks=Hooks())


def test_it_counts_what_it_kept_and_names_what_it_refused(tmp_path, tokenizer):
    scores = {"a": piece_of(1), "b": piece_of(2, notes=10), "copy of a": piece_of(1), "broken": None}
    report = run(scores, tmp_path / "data", tokenizer)
    assert (report.found, report.kept, report.duplicates) == (4, 2, 1)
    assert report.refused == {"corrupt": ["broken is damaged."]}
    assert (report.notes, report.words, report.heldout) == (50, 200, 1)
    assert json.loads((tmp_path / "data" / "data.json").read_text())["kept"] == 2


class Counted(Scores):
    """Scores of whose files something was counted."""

    def read_counted(self, piece):
        repairs = {"unreleased_keys": 2, "long_tracks": 1} if piece.id == "b" else {}
        return self.read(piece), {"note_ons": 45, "notes_read": 40, **repairs}


def test_it_counts_note_ons_beside_notes_and_names_what_was_repaired(tmp_path, tokenizer):
    scores = {"a": piece_of(1), "b": piece_of(2), "copy of b": piece_of(2), "broken": None}
    report = prepare(Counted(scores), tokenizer, tmp_path / "data", Choices(heldout=0.3), hooks=Hooks())
    assert report.read == {
        **{"note_ons": 90, "notes_read": 80, "with_pedal": 0},
        **{"unreleased_keys": 2, "long_tracks": 1},
    }
    assert report.repaired == {"unreleased_keys": ["b"], "long_tracks": ["b"]}
    assert "10 of the 90 notes in the files could not be read." in report.warnings
    assert figures(asdict(report))["repaired"] == {"unreleased_keys": 1, "long_tracks": 1}


def test_it_says_that_there_is_a_pedal_and_what_share_of_the_notes_it_changes(tmp_path, tokenizer):
    pedalled = piece_of(1)
    for time, value in [(0, 127), (700, 0)]:
        pedalled.tracks[0].controls.append(ControlChangeTick(time, 64, value))
    source = Counted({"a": pedalled, "c": piece_of(2)})
    left_out = prepare(source, tokenizer, tmp_path / "left out", Choices(heldout=0.3), hooks=Hooks())
    assert left_out.read["with_pedal"] == 1
    assert [each for each in left_out.warnings if "50 % of the pieces have a sustain pedal" in each]
    heard = prepare(Sustained(source), tokenizer, tmp_path / "heard", Choices(heldout=0.3), hooks=Hooks())
    assert (heard.read["with_pedal"], heard.read["sustained"]) == (1, 2)
    assert not [each for each in heard.warnings if "pedal" in each]


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
            Interrupting({"a": piece_of(1), "b": piece_of(2)}),
            tokenizer,
            tmp_path / "data",
            Choices(heldout=0.1),
            hooks=Hooks(),
        )
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_not_text_are_kept_printable(tmp_path, tokenizer):
    report = run({"bad\udcff.mid": piece_of(1), "worse\udcfe\n.mid": None}, tmp_path / "data", tokenizer)
    assert report.kept == 1
    (name,) = report.refused["corrupt"]
    assert name.startswith("worse\\udcfe\\n.mid")
