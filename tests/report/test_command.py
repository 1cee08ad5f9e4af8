"""`diffmidi report RUN`."""

import sys

import pytest

from diffmidi_core.cli import main
from diffmidi_core.config import resolve
from diffmidi_core.layers import changed_options


@pytest.fixture
def diffmidi(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["diffmidi", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), capsys.readouterr().err

    return call


def test_it_writes_the_page_and_says_where(diffmidi, finished):
    code, said = diffmidi("report", finished)
    assert code == 0, said
    assert "report.html" in said
    html = (finished / "report.html").read_text(encoding="utf-8")
    assert "<title>my run · diffmidi</title>" in html
    before = (finished / "report.html").read_bytes()
    assert diffmidi("report", finished)[0] == 0
    assert (finished / "report.html").read_bytes() == before


def test_without_a_listener_that_reports_it_says_which_to_add(diffmidi, finished):
    code, said = diffmidi("report", finished, "--no-hook", "report")
    assert code == 1
    assert "no hook has anything to report (chosen: console): add --hook report." in said
    assert not (finished / "report.html").exists()


def test_a_folder_without_a_run(diffmidi, tmp_path):
    code, said = diffmidi("report", tmp_path)
    assert code == 1
    assert "there is no run in" in said


def test_changed_options_are_those_that_are_not_the_default():
    assert changed_options(resolve().model_dump(mode="json")) == {}
    flags = {
        "data": "music",
        "schedule": "linear",
        "no_renderer": ["pianoroll", "waveform"],
        "train.lr": 0.5,
        "seed": 3,
    }
    config = resolve(flags=flags, assignments=["backbone.dropout=0.2", "renderer.wav.peak=-3"])
    assert changed_options(config.model_dump(mode="json")) == {
        **{"data": "music", "schedule": "linear", "renderers": ["wav"], "train.lr": 0.5, "seed": 3},
        **{"backbone.dropout": 0.2, "renderer.wav.peak": -3.0},
    }
