"""Classifiers as a person uses them: trained for a model, told what they are worth, followed, and refused."""

import json
import shlex
import shutil

import numpy as np
import pytest

from diffmidi import Pipeline
from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.saved.folder import RunFolder

from .conftest import ALIGNED, SMALL, drawn, finish

SHORT = shlex.split("--iterations 4 --batch-size 4 --precision fp32 -o train.log_every=2 -o train.evaluate_every=2")
LAZY = ["--no-metric", "all", "--no-renderer", "all"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two collections, a model of each kind of process, and its classifiers of `folder` and `density`."""
    place = tmp_path_factory.mktemp("classified")
    for seed in range(16):
        rng, low = np.random.default_rng(seed), seed % 2 == 0
        folder = place / "music" / ("low" if low else "high")
        folder.mkdir(parents=True, exist_ok=True)
        pitch = (45 if low else 70) + rng.integers(0, 12, 64)
        columns = np.arange(64) * 240, np.full(64, 240), pitch, np.full(64, 80)
        write_midi(score_of(Notes(*columns)), folder / f"piece {seed}.mid")
    normal = ("--process", "gaussian", "-o", "process.steps=20", "--length", 32, *ALIGNED)
    left = ("--process", "autoregressive", "--steps", 96)
    for name, words in {"masked": (), "gaussian": normal, "left": left}.items():
        assert not finish("run", "--data", place / "music", "--out", place / name, *SMALL, *words, *LAZY)
    for model in ("masked", "gaussian"):
        assert not finish(
            "train-classifier", place / model, "--label", "folder", "--out", place / f"{model}-folder", *SHORT
        )
    assert not finish(
        "train-classifier", place / "masked", "--label", "register", "--out", place / "masked-register", *SHORT
    )
    return place


@pytest.mark.parametrize("model", ["masked", "gaussian"])
def test_a_classifier_is_a_run_of_its_own_that_says_what_it_is_worth(place, model):
    run, of = RunFolder.open(place / f"{model}-folder"), RunFolder.open(place / model)
    config = run.config()
    assert (config.classifier.label, config.classifier.model) == ("folder", str(of.path))
    assert config.backbone == of.config().backbone
    log = run.read_log()
    assert [line["step"] for line in log if "heldout/label_bits" in line] == [0, 2, 4]
    worth = json.loads((run.path / "accuracy.json").read_text())
    for split in ("validation", "test"):
        assert worth[split]["windows"] > 0
        assert len(worth[split]["accuracy"]) == len(worth["levels"]) == 5
        for figure in (*worth[split]["accuracy"], worth[split]["commonest"]):
            assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1


@pytest.mark.parametrize("model", ["masked", "gaussian"])
def test_drawing_follows_it_and_records_that(diffmidi, place, model):
    classifier = place / f"{model}-folder"
    asked = ("--samples", 2, "--steps", 4, "--render", "none", "--want", "folder=low", "--guidance", 8)
    said = diffmidi("sample", place / model, "--classifier", classifier, *asked)
    assert said.code == 0, said.err
    request = RunFolder.open(place / model).draw(None).request().request
    assert (request.want, request.guidance) == ({"folder": "low"}, 8.0)
    assert [(each.path, each.label.name) for each in request.classifiers] == [(str(classifier), "folder")]
    assert [piece.labels["folder"].asked for piece in drawn(place / model)] == ["low", "low"]
    pipeline = Pipeline.from_pretrained(place / model, device="cpu")
    same = pipeline.request(2, steps=4, want={"folder": "low"}, guidance=8, classifiers=[classifier])
    assert same == request
    tokens = [pipeline.tokenizer.to_tokens(ids) for ids in pipeline.draw(same)]
    assert tokens == [list(piece.tokens) for piece in drawn(place / model)]
    unled = same.model_copy(update={"guidance": 0.0})
    assert [pipeline.tokenizer.to_tokens(ids) for ids in pipeline.draw(unled)] != tokens


def test_two_classifiers_and_each_value_in_turn(diffmidi, place):
    both = ("--classifier", place / "masked-folder", "--classifier", place / "masked-register")
    asked = ("--want", "folder=each", "--want", "register=high", "--samples", 2, "--steps", 4, "--render", "none")
    said = diffmidi("sample", place / "masked", *both, *asked)
    assert said.code == 0, said.err
    pieces = drawn(place / "masked")
    assert {piece.labels["folder"].asked for piece in pieces} == {"low", "high"}
    assert all(piece.labels["register"].obtained for piece in pieces)  # what can be measured is


def test_a_classifier_goes_on_where_it_was(diffmidi, place, tmp_path):
    shutil.copytree(place / "masked-folder", tmp_path / "mine")
    said = diffmidi("train-classifier", tmp_path / "mine", "--resume", "--iterations", 6)
    assert said.code == 0, said.err
    assert RunFolder.open(tmp_path / "mine").read_log()[-1]["step"] == 6
    assert "How often it tells folder" in said.out
    listed = diffmidi("labels", tmp_path / "mine")
    assert "--classifier" in listed.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train-classifier", "masked"), "--label NAME says what the classifier is to tell"),
        (("train-classifier", "masked", "--label", "mood"), "--label mood: neither windows nor pieces have"),
        (("train-classifier", "masked", "--label", "velocity"), "no two values to tell apart"),
        (("train-classifier", "masked", "--label", "window"), "it is one label"),
        (("train-classifier", "left", "--label", "folder"), "whose drawing no classifier can lead"),
        (("train-classifier", "masked-folder", "--label", "folder"), "is a classifier of folder and no model"),
        (("train-classifier", "masked", "--resume"), "is a model and no classifier"),
        (("train-classifier", "masked", "--label", "folder", "--out", "masked"), "already holds a run"),
        (("sample", "masked-folder"), "is a classifier of folder and no model"),
        (("sample", "masked", "--classifier", "masked-folder"), "add --want folder=VALUE"),
        (("sample", "masked", "--classifier", "gaussian-folder", "--want", "folder=low"), "for another model"),
        (("sample", "left", "--classifier", "masked-folder", "--want", "folder=low"), "for another model"),
        (("sample", "masked", "--classifier", "masked", "--want", "folder=low"), "it is a model and no classifier"),
        (("sample", "masked", "--classifier", "nowhere", "--want", "folder=low"), "there is no folder nowhere"),
        (("sample", "masked", "--classifier", "masked-folder", "--want", "folder=middle"), "no such value"),
        (("sample", "masked", "--classifier", "masked-folder", "--want", "mood=sad"), "no label 'mood'"),
        (("sample", "masked", *["--classifier", "masked-folder"] * 2, "--want", "folder=low"), "name one of them"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_nothing_is_written(diffmidi, place, monkeypatch, words, message):
    monkeypatch.chdir(place)
    before = sorted(path for path in place.rglob("*") if path.name != ".lock")
    said = diffmidi(*words)
    assert said.code != 0
    assert message in said.err
    assert "Traceback" not in said.err
    assert sorted(path for path in place.rglob("*") if path.name != ".lock") == before
