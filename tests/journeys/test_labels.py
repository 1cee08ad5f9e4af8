"""Labels as a person uses them: trained with, listed, asked for, judged, and refused in a sentence."""

import json
import sys

import pytest

from diffmidi import Pipeline
from diffmidi_core.cli import main
from diffmidi_core.saved.folder import RunFolder

from .conftest import SMALL, drawn


@pytest.fixture(scope="module")
def run(music, tmp_path_factory):
    """A run that was trained with the labels of windows."""
    folder = tmp_path_factory.mktemp("labelled") / "run"
    words = ["run", "--data", str(music), "--out", str(folder), *SMALL, "--condition", "window", "--no-renderer", "all"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["diffmidi", *words, "--no-metric", "all"])
        with pytest.raises(SystemExit) as left:
            main()
    assert not left.value.code
    return folder


def test_labels_are_listed_with_counts(diffmidi, run):
    said = diffmidi("labels", run)
    assert said.code == 0, said.err
    assert "key (1,024 windows)" in said.out
    assert "never seen: " in said.out


def test_what_is_asked_and_what_came_of_it_are_recorded_and_judged(diffmidi, run):
    asked = ("--want", "register=each", "--want", "density=medium", "--guidance", 2, "--samples", 5, "--steps", 3)
    assert diffmidi("sample", run, *asked, "--render", "none").code == 0
    pieces = drawn(run)
    levels = ["very low", "low", "medium", "high", "very high"]
    assert [piece.labels["register"].asked for piece in pieces] == levels
    assert {piece.labels["density"].asked for piece in pieces} == {"medium"}
    assert all(piece.labels["register"].obtained for piece in pieces)
    request = RunFolder.open(run).draw(None).request().request
    assert (request.want, request.guidance) == ({"register": "each", "density": "medium"}, 2.0)
    assert diffmidi("evaluate", run, "--no-metric", "all", "--metric", "obedience").code == 0
    figures = json.loads((RunFolder.open(run).draw(None).path / "figures.json").read_text())["figures"]
    assert {"obedience/density", "obedience/density_near", "obedience/register"} <= set(figures)


def test_a_program_asks_in_the_same_words(run):
    pipeline = Pipeline.from_pretrained(run, device="cpu")
    asked = pipeline.request(2, steps=3, want={"register": "Very_High"}, guidance=100)
    assert asked.want == {"register": "very high"}
    plain = pipeline.request(2, steps=3)
    guided, own = pipeline.draw(asked), pipeline.draw(plain)
    assert [ids.tolist() for ids in guided] != [ids.tolist() for ids in own]
    again = pipeline.draw(asked)
    assert [ids.tolist() for ids in again] == [ids.tolist() for ids in guided]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--want", "key"), "it is NAME=VALUE"),
        (("--want", "mood=sad"), "no label 'mood'"),
        (("--want", "density=huge"), "no such value"),
        (("--want", "velocity=loud"), "has not learned it"),
        (("--guidance", 2), "add --want"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_drawn(diffmidi, run, asked, message):
    before = sorted((run / "draws").iterdir())
    said = diffmidi("sample", run, *asked)
    assert said.code != 0
    assert message in said.err
    assert sorted((run / "draws").iterdir()) == before


def test_resuming_goes_on_with_the_labels(diffmidi, run):
    assert diffmidi("train", run, "--resume").code == 0
    said = diffmidi("labels", run, "--checkpoint", "last")
    assert said.code == 0, said.err
    assert "key (1,024 windows)" in said.out
