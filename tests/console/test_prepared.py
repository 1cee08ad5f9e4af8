"""The table of a preparation: counts by reason, the first few names, and what is lost in the round trip."""

import io
import json

import pytest
from rich.console import Console as Terminal

from diffmidi.api import Options
from diffmidi_console.console import Console

REPORT = {
    "found": 1300,
    "kept": 1200,
    "heldout": 120,
    "test": 118,
    "grouped": {"by": "set", "groups": 7, "pieces": 90},
    "refused": {
        "corrupt": [f"{n}[x].mid is damaged; export it again." for n in range(6)],
        "empty": ["e.mid is empty."],
    },
    "copies": [{"piece": "b.mid", "of": "a.mid", "same": "bytes"}],
    "near_duplicates": {"groups": 20, "pieces": 50, "largest": 4, "in_largest": ["c.mid", "d.mid", "e.mid"]},
    "hours": 41.5,
    "notes": 1_000_000,
    "words": 4_000_000,
    "typical": {"tempo": 96.004, "metre": [3, 4]},
    "timing": {"off_grid": 303, "late": 0, "one_beat": 2},
    "changed": {"clamped_duration": 12},
    "round_trip": {
        **{"pieces": 400, "notes": 300_000, "lost": 3000},
        **{"onset_ms": {"mean": 4.3, "p99": 38.0}, "duration_ms": {"mean": 9.0, "p99": 60.0}},
        "velocity": {"mean": 2.2, "p99": 4.0},
    },
}


@pytest.fixture
def shown(tmp_path):
    def show(report, figures):
        if report is not None:
            (tmp_path / "data").mkdir()
            (tmp_path / "data" / "data.json").write_text(json.dumps(report))
        console = Console(Options())
        console.terminal = Terminal(width=100, file=io.StringIO())
        console.run_finished(tmp_path, figures, "prepare")
        return console.terminal.file.getvalue()

    return show


def test_it_says_what_was_kept_and_left_out_and_names_the_first(shown, tmp_path):
    said = " ".join(shown(REPORT, {}).replace("│", " ").split())
    for text in (
        "Token dataset in",
        "1,300",
        "120 of them held out, 118 to test",
        "b.mid (of a.mid)",
        "50 in 20 groups",
        "90 in 7 groups by set",
    ):
        assert text in said
    assert "refused: corrupt 6 0[x].mid is damaged; export it again.; 1[x].mid" in said
    assert "3 more in data.json" in said
    assert "refused: empty 1 e.mid is empty." in said


def test_it_says_what_is_lost_in_the_round_trip(shown):
    said = " ".join(shown(REPORT, {}).replace("│", " ").split())
    assert "4,000,000 4 per note" in said
    assert "clamped duration 12" in said
    assert "notes lost 1 % in the round trip, measured on 400 pieces drawn by hash" in said
    assert "onset error 4.3 ms on average; for 99 % of the notes at most 38 ms" in said


def test_it_says_what_of_the_timing_is_not_believed(shown):
    said = " ".join(shown(REPORT, {}).replace("│", " ").split())
    assert "keep no beat 303 pieces whose onsets fit no grid" in said
    assert "bars of one beat 2" in said
    assert "begin off the beat" not in said


def test_it_says_what_was_repaired_and_what_becomes_of_the_pedal(shown):
    read = {"note_ons": 1_000_003, "notes_read": 1_000_002, "with_pedal": 30, "unreleased_keys": 9}
    report = {**REPORT, "read": read, "repaired": {"unreleased_keys": ["p.mid", "q.mid"]}}
    said = " ".join(shown(report, {}).replace("│", " ").split())
    assert "repaired: unreleased keys 2 p.mid; q.mid" in said
    assert "note-ons 1,000,003 in the files, and 1,000,002 notes read" in said
    assert "with a pedal 30 pieces which is left out" in said


def test_it_says_what_share_of_the_notes_the_pedal_lengthens(shown):
    read = {"note_ons": 1_000_000, "notes_read": 1_000_000, "with_pedal": 30, "sustained": 345_678}
    said = " ".join(shown({**REPORT, "read": read}, {}).replace("│", " ").split())
    assert "under the pedal 35 % of the notes are longer than their keys are held, in 30 pieces" in said


def test_it_fits_a_hundred_columns(shown):
    assert max(map(len, shown(REPORT, {}).splitlines())) <= 100


def test_without_a_report_the_figures_are_a_line(shown):
    assert "3 pieces, 2 notes" in shown(None, {"pieces": 3, "notes": 2})
