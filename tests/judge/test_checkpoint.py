"""Judging a checkpoint: on which windows, under which noise, and what is written where."""

from dataclasses import replace

import pytest
import torch

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.judge.checkpoint import judge_checkpoint
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.judge.score import score
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import find

from .conftest import LENGTH, written


def test_figures_say_which_weights_on_which_music(work, model, reference, judging, tmp_path):
    found = judge_checkpoint(work, model, reference, judging("bound_bpw", "grammar_faults"), to=tmp_path)
    assert written(tmp_path / "step-000400.json") == found
    assert (found["checkpoint"], found["weights"]) == (400, "weights of the test")
    assert found["data_fingerprint"] == reference.dataset.fingerprint
    assert found["windows"] == found["figures"]["bound_bpw"]["count"] == 6
    assert list(found["figures"]) == ["bound_bpw"], "a draw is judged by itself"
    assert {"diffmidi", "torch"} <= set(found["versions"])


def test_nothing_is_written_where_no_folder_is_named(work, model, reference, judging, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    judge_checkpoint(work, model, reference, judging("bound_bpw"))
    assert not list(tmp_path.iterdir())


def test_the_same_weights_have_the_same_figures_whatever_was_drawn_before(work, model, data, judging):
    def judged():
        music = ReferenceMusic(data, model.tokenizer, length=LENGTH)
        return judge_checkpoint(work, model, music, judging("bound_bpw"))["figures"]

    first = judged()
    torch.manual_seed(12345)
    torch.rand(7)
    assert judged() == first


def test_windows_are_of_pieces_that_neither_trained_nor_chose_the_checkpoint(reference):
    assert reference.split == "test"
    judged = {window.piece for window in reference.windows(1000)}
    assert judged == set(reference.dataset.test_pieces.tolist())
    assert not judged & {window.piece for window in reference.dataset.heldout()}
    assert not judged & set(reference.dataset.train_pieces.tolist())


def test_the_same_windows_are_judged_by_every_run_on_the_data(data, model, reference):
    again = ReferenceMusic(data, model.tokenizer, length=LENGTH)
    assert again.windows(5) == reference.windows(5) == reference.windows(1000)[:5]


def test_a_process_that_fails_is_named_with_its_package(work, model, reference, judging, monkeypatch):
    monkeypatch.setattr(model.process, "bound", lambda *_, **__: 1 / 0, raising=False)
    said = r"process 'gaussian' of diffmidi .* failed while estimating its bound \(ZeroDivisionError"
    with pytest.raises(DiffmidiError, match=said):
        judge_checkpoint(work, model, reference, judging("bound_bpw"))
    with pytest.raises(DiffmidiError, match=said):
        score(model, toy_scores()["tune"])


def test_judging_on_the_music_the_checkpoint_was_chosen_by_is_said(work, model, reference, judging, ears):
    reference.split = "heldout"
    judge_checkpoint(work, model, reference, judging("bound_bpw"))
    assert any("by which its best checkpoint was chosen" in said for said in ears.warnings)


def test_nothing_that_was_not_trained_on_is_said_and_has_no_figure(work, model, reference, judging, ears):
    reference.split = "heldout"
    reference.dataset.heldout_pieces = reference.dataset.heldout_pieces[:0]
    found = judge_checkpoint(work, model, reference, judging("bound_bpw"))
    assert found["figures"] == {"bound_bpw": None}
    assert any("the likelihood cannot be measured" in said for said in ears.warnings)


def test_without_a_metric_of_likelihood_the_model_is_not_asked(work, model, reference, judging, monkeypatch):
    monkeypatch.setattr(type(model.process), "bound", None)
    found = judge_checkpoint(work, model, reference, judging("pitch_range"))
    assert found["figures"] == {}


def test_a_metric_that_fails_leaves_the_others_their_figures(work, model, reference, judging, ears, monkeypatch):
    broken = find("metric", "bits_per_note").implementation()
    monkeypatch.setattr(broken, "bits", lambda self, window: 1 / 0)
    found = judge_checkpoint(work, model, reference, judging("bits_per_note", "bound_bpw"))
    assert list(found["figures"]) == ["bound_bpw"]
    assert any(said.startswith("metric 'bits_per_note' of diffmidi ") for said in ears.warnings)


@pytest.mark.parametrize("size", [1, 3, 6])
def test_how_many_windows_are_judged_is_asked(work, model, reference, judging, size):
    assert judge_checkpoint(work, model, reference, judging("bound_bpw", windows=size))["windows"] == size


@pytest.mark.parametrize("order", ["time", "types"])
def test_a_few_windows_have_an_exact_likelihood_beside_their_bound(work, make_model, data, judging, order):
    model = make_model("masked")
    music = ReferenceMusic(data, model.tokenizer, length=LENGTH)
    asked = judging("bound_bpw", "exact_bits")
    options = asked.evaluate.model_copy(update={"exact": True, "exact_windows": 3, "order": order, "levels": 8})
    found = judge_checkpoint(work, model, music, replace(asked, evaluate=options))["figures"]
    assert found["bound_bpw"]["count"] == 6
    exact = {name.partition("/")[2]: figure for name, figure in found.items() if name.startswith("exact_bits")}
    assert (
        list(exact)[::2] == ["as they stand", "bound"]
        if order == "types"
        else list(exact) == ["as they stand", "bound"]
    )
    if order == "types":
        assert set(list(exact)[1].split(", ")) <= set(model.tokenizer.grammar.types)
    for figure in exact.values():
        assert (figure["count"], figure["unit"]) == (3, "bits per note")
        # A model that was never trained charges much the same in any order, and the bound is the mean over all of them.
        assert figure["value"] == pytest.approx(exact["bound"]["value"], rel=0.05)


def test_without_being_asked_nothing_is_exact(work, model, reference, judging):
    assert judge_checkpoint(work, model, reference, judging("exact_bits"))["figures"] == {"exact_bits": None}


def test_a_bound_alone_is_not_exact(work, model, reference, judging):
    asked = judging("bound_bpw")
    asked = replace(asked, evaluate=asked.evaluate.model_copy(update={"exact": True}))
    with pytest.raises(DiffmidiError, match="has a bound on its likelihood only: leave out --exact"):
        judge_checkpoint(work, model, reference, asked)
