"""The table of figures: readable at 100 columns, and nothing that must be said is left out."""

import io
from dataclasses import asdict

import pytest
from rich.console import Console as Terminal

from diffmidi.api import Options
from diffmidi.api.metric import Figure
from diffmidi_console.console import Console


@pytest.fixture
def shown(tmp_path):
    def show(figures):
        console = Console(Options())
        console.terminal = Terminal(width=100, file=io.StringIO())
        console.run_finished(
            tmp_path, {name: figure and asdict(figure) for name, figure in figures.items()}, "evaluate"
        )
        return console.terminal.file.getvalue()

    return show


FIGURES = {
    "bound_bpw": Figure(2.641, "bits per word", 64, "held-out windows", 0.03, interval=(2.576, 2.709)),
    "bits_by_type/duration": Figure(2.333, "bits per duration word", 64, "held-out windows", interval=(2.15, 2.535)),
    "self_similarity/duration_consistency_shuffled": Figure(0.8123, "score", 5, "samples", skipped=3),
    "pitch_range": Figure(27.6, "semitones", 8, "samples", 1.0, interval=(25.1, 29.9), reference=28.5),
    "polyphony": Figure(3.676, "pitches", 8, "samples", 0.25, note="Mind the gap."),
    "originality": None,
}


def test_every_figure_is_there_and_the_table_fits(shown):
    said = shown(FIGURES)
    assert max(map(len, said.splitlines())) <= 100
    for text in ("64 held-out windows", "8 samples beside held-out music", "2.58 to 2.71", "bits per duration word"):
        assert text in said
    row = next(line for line in said.splitlines() if "pitch_range" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        *("pitch_range", "27.6", "25.1 to 29.9", "28.5", "semitones")
    ]
    assert "3.68 ± 0.25" in said


def test_what_must_be_said_stands_below_with_its_mark(shown):
    said = shown(FIGURES)
    assert "  * 3 of the samples hold too little music to be measured; left out." in said
    assert "  ** Mind the gap." in said
    assert "0.812 * " in said
    assert "3.68 ± 0.25 ** " in said
    assert "Nothing to measure for originality." in said


def test_without_held_out_music_there_is_no_column_for_it(shown):
    said = shown({"pitch_range": Figure(27.6, "semitones", 8, "samples")})
    assert "held-out" not in said
