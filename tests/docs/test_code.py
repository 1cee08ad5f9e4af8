"""What pages tell people to type and to run is taken by diffmidi as it is now."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

import click
import pytest

import diffmidi
from diffmidi_core.cli import main
from diffmidi_core.cli.call import call
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import find

from .pages import WRITTEN, Line, blocks, lines, parsed

LINES = tuple(lines())
ACME = ("slope", "acme-midi")
"""The package that a page makes, and its part."""
OURS = tuple(line for line in LINES if not {*ACME} & {*line.words})
SMALL = {"backbone.size": "tiny", "evaluate.windows": 4, "evaluate.levels": 2, "prepare.heldout": 0.2, "train.draw": 0}
STEERED = ("infill", "vary", "continue")
RUN = ("text", "labels", "models", "plugins")
"""Commands that are quick."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What the pages take for granted: songs, a song, a table of labels."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "songs").mkdir()
    for name, score in toy_scores().items():
        if name != "empty":
            score.dump_midi(str(folder / "songs" / f"{name}.mid"))
    shutil.copy(find("model", "starter").folder() / "sample.mid", folder / "song.mid")
    (folder / "other").mkdir()
    shutil.copy(folder / "song.mid", folder / "other")
    (folder / "songs.csv").write_text("path,composer\nchords.mid,bach\n")
    return folder


@pytest.fixture
def said(folder, monkeypatch, capfd):
    """Calls `diffmidi` in that folder: its exit code, and what it printed."""
    monkeypatch.chdir(folder)

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["diffmidi", *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfd.readouterr()
        return int(left.value.code or 0), out + err

    return call


def test_there_are_lines_and_programs_to_try():
    assert len(LINES) > 60
    assert {line.words[0] for line in LINES} >= {"run", "sample", "infill", "vary", "continue", "evaluate", "compare"}
    assert sum(len(blocks(page, "python")) for page in WRITTEN) > 8


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_line_is_understood(line: Line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    try:
        with suppress(click.exceptions.Exit):  # of flags that do something else and end
            parsed(line.words)
    except click.ClickException as error:
        pytest.fail(f"{line}: {error.format_message()}")


def test_a_line_that_is_wrong_is_found():
    for words in (("run", "--iteration", "3"), ("tune", "song.mid"), ("infill",)):
        with pytest.raises(click.ClickException):
            parsed(words)


@pytest.mark.parametrize("line", [line for line in OURS if line.words[0] == "run"], ids=str)
def test_a_run_could_begin(line: Line, said):
    """Every part and option of it is there: `--explain` resolves them."""
    words = [word for word in line.words if word != "--explain"]
    if {"--resume", "--from", "--config"} & {*words}:
        pytest.skip("it goes on from a run that is not here")
    code, text = said(*words, "--explain")
    assert code == 0, text


@pytest.mark.parametrize("line", [line for line in LINES if line.words[0] in STEERED], ids=str)
def test_a_piece_could_be_steered(line: Line, said):
    code, text = said(*line.words, *(() if "--dry-run" in line.words else ("--dry-run",)))
    assert code == 0, text


@pytest.mark.parametrize("line", [line for line in OURS if line.words[0] in RUN], ids=str)
def test_a_quick_line_runs(line: Line, said):
    if line.words[1:2] == ("RUN",):
        pytest.skip("it is of a run that is not here")
    code, text = said(*line.words)
    assert code == 0, text


def test_the_package_that_a_page_makes_is_installed_and_passes_the_kit(install, said):
    """Its metadata and modules as they stand there, and the lines that follow."""
    page = "docs/how-to/part.md"
    (metadata,) = blocks(page, "toml")
    project = tomllib.loads(metadata)["project"]
    site = install(project["name"], project["entry-points"], version=project["version"])
    (site / "acme_midi").mkdir()
    (site / "acme_midi" / "__init__.py").touch()
    for code in blocks(page, "python"):
        if named := re.match(r"# (acme_midi/\w+\.py)", code):
            (site / named[1]).write_text(code)
    told = [line for line in LINES if {*ACME} & {*line.words}]
    assert [line.words[0] for line in told] == ["plugins", "run", "plugins"]
    for line in told:
        code, text = said(*line.words, *(["--explain"] if line.words[0] == "run" else []))
        assert code == 0, text
    assert "checks passed" in text


@pytest.fixture(scope="module")
def trained(folder) -> Path:
    """The one run that every program of the pages gets."""
    quiet = {"no_hook": "all", "no_renderer": "all"}
    return diffmidi.run(
        folder / "songs", folder / "trained", iterations=2, batch_size=4, samples=1, steps=8, options=SMALL, **quiet
    )


@pytest.fixture(scope="module")
def figures(trained):
    return diffmidi.evaluate(trained, no_hook="all")


@pytest.mark.parametrize("page", [page for page in WRITTEN if blocks(page, "python")])
def test_the_programs_of_a_page_run(page: str, folder, trained, figures, monkeypatch):
    """One after the other, as a reader would; what is trained is checked, and is small, or was trained before."""

    def run(data=None, out=None, *, options=None, **flags):
        call("run", {"data": data, "out": out, "explain": True, **flags}, options)
        return trained

    def evaluate(folder, **flags):
        assert folder == trained
        assert not flags
        return figures

    def compare(runs, **flags):
        return whole([*dict.fromkeys(runs)], **flags)

    whole = diffmidi.compare
    monkeypatch.chdir(folder)
    monkeypatch.setattr(diffmidi, "run", run)
    monkeypatch.setattr(diffmidi, "compare", compare)
    monkeypatch.setattr(diffmidi, "evaluate", evaluate)
    shared: dict[str, object] = {"__name__": "page"}
    for number, code in enumerate(blocks(page, "python")):
        exec(compile(code, f"{page}, block {number + 1}", "exec"), shared)
