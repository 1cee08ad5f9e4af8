"""The best checkpoint by held-out bound: kept, named, chosen; and training that stops when no look is better."""

import json

import pytest

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.saved import checkpoint
from diffmidi_core.train import loop, validation

EVERY = ("train.iterations=8", "train.evaluate_every=1", "train.save_every=4", "train.log_every=8")


@pytest.fixture
def looks(monkeypatch):
    """Held-out bounds for the looks to come; training music is always a little easier than the look before."""

    def come(*bounds):
        told = iter([each for index, bound in enumerate(bounds) for each in (bound, 2.0 - 0.01 * index)])
        monkeypatch.setattr(validation, "window_bits", lambda *_, **__: None)
        monkeypatch.setattr(validation, "bits_per_token", lambda _: (next(told), 0.25))

    return come


def folder(trainer):
    return trainer.session.folder.checkpoints


def test_the_best_checkpoint_outlives_those_that_are_pruned(trainer, looks):
    looks(9, 5, 4, 3, 6, 6, 6, 6, 6)
    run = trainer("run", *EVERY, "train.keep=1")
    run.run()
    assert checkpoint.steps(folder(run)) == [3, 8], "the best and the last"
    assert checkpoint.choose(folder(run)).name == "step-000003"
    assert checkpoint.choose(folder(run), "best").name == "step-000003"
    assert checkpoint.choose(folder(run), "last").name == "step-000008"
    assert checkpoint.choose(folder(run), 8).name == "step-000008"
    with pytest.raises(DiffmidiError, match=r"no checkpoint of step 4 in .* There are: 3, 8\."):
        checkpoint.choose(folder(run), 4)


def test_a_best_that_is_surpassed_makes_room_and_regular_ones_do_not(trainer, looks):
    looks(9, 8, 7, 6, 5, 6, 4, 6, 6)
    run = trainer("run", *EVERY)
    run.run()
    assert checkpoint.steps(folder(run)) == [4, 6, 8]


def test_patience_ends_training_and_says_why(trainer, looks, ears):
    looks(9, 5, 4, 4.1, 4.2, 4.3)
    run = trainer("run", *EVERY, "train.patience=3", listeners=[("ears", ears)])
    run.run()
    assert run.step == 5
    assert checkpoint.steps(folder(run)) == [2, 4, 5]
    said = ears.warnings[0]
    assert "stopped at iteration 5 of 8: 3 validation passes have" in said
    assert "4 ± 0.25 bits per token, at iteration 2" in said
    assert json.loads(run.session.folder.facts_file.read_text())["iterations"] == 5


def test_a_resumed_run_remembers_its_best_and_its_patience(trainer, looks):
    looks(9, 5, 3, 4, 4)
    run = trainer("run", *EVERY, "train.patience=4")
    train_on, run.config = (
        run.config,
        run.config.model_copy(update={"train": run.config.train.model_copy(update={"iterations": 4})}),
    )
    run.run()
    assert (run.best.step, run.best.looks_since) == (2, 2)
    looks(3.5, 3.5, 3.5)
    again = loop.Trainer(run.session)
    again.config = train_on
    again.resume()
    assert again.best == run.best
    again.run()
    assert again.step == 6, "two looks more, and not four"
    looks()
    finished = loop.Trainer(run.session)
    finished.resume()
    finished.run()
    assert finished.step == 6, "patience that was at its end stays there"


def test_overfitting_is_told(trainer, looks, ears):
    looks(9, 6, 5, 4, 5, 6, 7, 8, 9)
    trainer("run", *EVERY, listeners=[("ears", ears)]).run()
    assert any("overfits from iteration 3 on" in said for said in ears.warnings)


def test_a_model_that_gets_better_is_not_said_to_overfit(trainer, looks, ears):
    looks(9, 6, 5, 4, 3.5, 3.2, 3, 2.9, 2.85)
    trainer("run", *EVERY, listeners=[("ears", ears)]).run()
    assert ears.warnings == []


def test_without_held_out_music_the_last_checkpoint_is_taken_and_best_is_refused(trainer):
    run = trainer("run", *EVERY, "train.iterations=2")
    run.heldout = []
    run.run()
    assert checkpoint.choose(folder(run)).name == "step-000002"
    with pytest.raises(DiffmidiError, match="no best checkpoint"):
        checkpoint.choose(folder(run), "best")


def test_a_look_measures_held_out_and_training_music_with_the_same_noise(trainer):
    run = trainer("run", *EVERY)
    assert len(run.trained_on) == len(run.heldout) > 0
    assert {each.piece for each in run.trained_on}.isdisjoint({each.piece for each in run.heldout})
    run.trained_on = run.heldout
    run._validate()
    (line,) = run.session.folder.read_log()
    assert line["train/bound_bpw"] == line["heldout/bound_bpw"] > 0


def test_training_notes_how_much_memory_it_took(trainer):
    run = trainer("run", *EVERY, "train.iterations=1")
    run.run()
    assert json.loads(run.session.folder.facts_file.read_text())["peak_memory_mb"] > 50
