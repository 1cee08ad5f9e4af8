"""An installed model plays on the page of a run, after the run's own pieces and apart from them."""

import json
from pathlib import Path

import pytest

from tests.conformance.test_models import tiny_model

from .conftest import ALIGNED, TRAINED

RUN = (*TRAINED, *ALIGNED, "--steps", "3", "--samples", "1", "--no-metric", "all")
HEARD = ("--no-renderer", "pianoroll", "--no-renderer", "waveform")


@pytest.fixture
def songs(install):
    """A model "songs" that is installed, by a package that cannot be imported."""
    site = install("acme-songs", {"diffmidi.models": {"songs": "acme_songs"}})
    tiny_model(site / "acme_songs" / "model")
    (site / "acme_songs" / "__init__.py").write_text("raise RuntimeError('imported')")


def test_it_plays_apart_from_the_run_and_once(diffmidi, music, songs):
    said = diffmidi("run", "--data", music, "--out", "mine", "--beside", "songs", *RUN, *HEARD)
    assert said.code == 0, said.err
    played = Path("mine/beside/songs")
    assert [path.name for path in sorted(played.glob("*.wav"))] == ["001.wav", "002.wav", "003.wav"]
    assert json.loads((played / "request.json").read_text())["request"]["length"] == "8 bars"
    page = Path("mine/report.html").read_text()
    own, theirs = page.index('<section id="samples"'), page.index('<section id="the-model-songs"')
    assert own < theirs < page.index('<section id="overview"')
    assert "not this run's" in page[theirs:]
    assert page[own:theirs].count('class="card"') == 1, "its pieces are no draw of the run's"
    assert not (played / "figures.json").exists()
    assert [path.name for path in Path("mine/draws").iterdir()] == ["1"]
    before = (played / "request.json").read_bytes()
    again = diffmidi("run", "--resume", "mine", "--beside", "songs")
    assert again.code == 0, again.err
    assert (played / "request.json").read_bytes() == before
    assert "songs" not in again.err


def test_nobody_plays_where_nobody_is_asked_or_installed(diffmidi, music):
    said = diffmidi("run", "--data", music, "--out", "mine", "--beside", "nobody", *RUN, "--no-renderer", "all")
    assert said.code == 0, said.err
    assert not Path("mine/beside").exists()
    assert "not this run's" not in Path("mine/report.html").read_text()


def test_one_that_is_damaged_is_named_and_the_run_ends_well(diffmidi, mine, install):
    site = install("acme-songs", {"diffmidi.models": {"songs": "acme_songs"}})
    tiny_model(site / "acme_songs" / "model")
    (site / "acme_songs" / "model" / "model.safetensors").write_bytes(b"none")
    said = diffmidi("run", "--resume", "mine", "--beside", "songs")
    assert said.code == 0, said.err
    assert "The installed model songs does not play on this run's page" in said.err
    assert list(Path("mine/beside").iterdir()) == []
    assert Path("mine/report.html").is_file()
