"""The table of figures: readable at 100 columns, by names for people, and no caveat is left out."""

import io
from dataclasses import asdict

import pytest
from rich.console import Console as Terminal

from diffmidi.api import Options
from diffmidi.api.hook import clock_text
from diffmidi.api.metric import Figure
from diffmidi_console.console import Console
from diffmidi_core.registry import find


@pytest.fixture
def shown(tmp_path):
    def show(figures, music="test music", width=100):
        console = Console(Options())
        console.terminal = Terminal(width=width, file=io.StringIO())
        found = {name: each and stored(name, each, music) for name, each in figures.items()}
        console.run_finished(tmp_path, found, "evaluate")
        return console.terminal.file.getvalue()

    return show


def stored(name, figure, music):
    """As `evaluate` hands it over."""
    declared = find("metric", name.partition("/")[0]).metric()
    return {**asdict(figure), "title": declared.title, "better": declared.better, "music": music}


def cells(said, name):
    row = next(line for line in said.splitlines() if name in line)
    return [cell.strip() for cell in row.split("  ") if cell.strip()]


FIGURES = {
    "bound_bpw": Figure(2.641, "bits per token", 64, "windows", 0.03, interval=(2.576, 2.709)),
    "bits_by_type/duration": Figure(2.333, "bits per duration token", 64, "windows", interval=(2.15, 2.535)),
    "self_similarity/duration_consistency_shuffled": Figure(0.8123, "score", 5, "samples", skipped=3),
    "pitch_range": Figure(27.6, "semitones", 8, "samples", 1.0, interval=(25.1, 29.9), reference=28.5),
    "polyphony": Figure(3.676, "pitches", 8, "samples", 0.25, note="Mind the gap."),
    "originality": None,
}


def test_every_figure_is_there_and_the_table_fits(shown):
    said = shown(FIGURES)
    assert max(map(len, said.splitlines())) <= 100
    assert "64 windows of test music" in said
    assert "8 samples; the reference is test music" in said
    assert cells(said, "bound_bpw") == ["bits per token, at most", "2.64", "2.58 to 2.71", "lower", "bound_bpw"]
    assert cells(said, "pitch_range") == ["pitch range, semitones", "27.6", "25.1 to 29.9", "28.5", "pitch_range"]
    assert cells(said, "  duration  ") == ["duration", "2.33", "2.15 to 2.54"]
    assert "3.68 ± 0.25" in said


def test_caveats_stand_below_with_their_marks(shown):
    said = shown(FIGURES)
    assert "  * 3 of the samples hold too little music to be measured; left out." in said
    assert "  ** Mind the gap." in said
    assert "0.812 * " in said
    assert "3.68 ± 0.25 ** " in said


def test_what_could_not_be_measured_is_not_spoken_of(shown):
    assert "originality" not in shown(FIGURES)
    assert shown({"originality": None}) == ""


def test_without_music_to_compare_with_there_is_no_column_for_it(shown):
    said = shown({"pitch_range": Figure(27.6, "semitones", 1, "samples")}, music="")
    assert "1 sample " in said
    assert "reference" not in said


@pytest.mark.parametrize("music", ["held-out music", "jazz", "test music of runs/one"])
def test_the_title_names_the_music(shown, music):
    said = shown({"bound_bpw": Figure(2.0, "bits per token", 1, "windows")}, music=music)
    assert f"1 window of {music}" in said


def test_a_bar_tells_the_time_in_words(tmp_path):
    console = Console(Options())
    console.terminal = Terminal(width=120, file=io.StringIO(), force_terminal=True)
    console.progress("iterations", 1, 4)
    task = console.progress_bar.tasks[0]
    task.start_time = task.get_time() - 248
    shown = console.progress_bar.columns[3].render(task).plain
    assert shown.startswith(f"{clock_text(248)} elapsed")
    assert console.progress_bar.columns[2].render(task).plain == "1 of 4"
    console.progress("reverse steps", 132, None)
    assert console.progress_bar.columns[2].render(console.progress_bar.tasks[0]).plain == "132"
    console._close()
