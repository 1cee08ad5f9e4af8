"""A run that begins from another: with its weights, average and optimiser, as if it had gone on there."""

import json
from pathlib import Path

import pytest

from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.saved.manifest import Manifest
from diffmidi_core.train.beginning import origin_of, remember_origin
from diffmidi_core.train.loop import Trainer
from diffmidi_core.train.whole import train

FEW = ("train.save_every=2", "train.evaluate_every=12", "train.log_every=12", "augment.transpose=0", "train.keep=9")


def weights(session, step):
    return manifest(session, step).weights


def manifest(session, step):
    return Manifest.read(session.folder.checkpoints / f"step-{step:06d}" / "manifest.json")


@pytest.fixture
def constant(trainer):
    """Six iterations at a constant rate, with a warm-up longer than that."""
    session = trainer("constant", *FEW, "train.iterations=6", "train.anneal=false", "train.warmup=8").session
    train(session)
    return session


@pytest.fixture
def fork(trainer, constant):
    """Makes a session of a run that begins from it."""

    def make(name, *assignments, which=None):
        session = trainer(name, *FEW, "train.warmup=8", *assignments).session
        session.begin_from = (constant.folder.path, which)
        remember_origin(session)
        return session

    return make


def test_forked_into_a_decay_it_is_one_run_with_that_decay(trainer, fork, constant):
    straight = trainer("straight", *FEW, "train.iterations=12", "train.decay=6", "train.warmup=8").session
    train(straight)
    assert weights(straight, 6) == weights(constant, 6)
    forked = fork("forked", "train.iterations=6", "train.decay=6")
    train(forked)
    assert weights(forked, 6) == weights(straight, 12)


def test_it_says_what_it_began_from_in_every_generation(trainer, fork, constant):
    forked = fork("forked", "train.iterations=4", which=4)
    train(forked)
    began = manifest(forked, 4).training.began
    assert (began.step, began.iterations, began.weights) == (4, 4, weights(constant, 4))
    assert Path(began.run) == constant.folder.path.resolve()
    assert json.loads(forked.folder.facts_file.read_text())["began"] == began.model_dump(mode="json")
    grandchild = trainer("grandchild", *FEW, "train.iterations=2").session
    grandchild.begin_from = (forked.folder.path, 4)
    remember_origin(grandchild)
    train(grandchild)
    began = manifest(grandchild, 2).training.began
    assert (began.step, began.iterations) == (4, 8)


def test_stopped_and_resumed_it_is_the_same_run(fork):
    whole, stopped = fork("whole", "train.iterations=4"), fork("stopped", "train.iterations=4")
    train(whole)
    train(stopped)
    (stopped.folder.checkpoints / "step-000004").rename(stopped.folder.path / "gone")
    train(type(stopped)(stopped.folder, stopped.config), resume=True)
    assert weights(stopped, 4) == weights(whole, 4)
    for path in stopped.folder.checkpoints.iterdir():
        path.rename(stopped.folder.path / f"gone {path.name}")
    train(type(stopped)(stopped.folder, stopped.config), resume=True)
    assert weights(stopped, 4) == weights(whole, 4), "killed before its first checkpoint it begins there again"


def test_another_vocabulary_is_refused_before_anything_is_prepared(fork):
    with pytest.raises(UsageError, match=r"cannot begin from .*constant with another vocabulary: .* tokenizer 'mmm'"):
        fork("other", "tokenizer.grid=6")


def test_another_shape_is_one_sentence(fork):
    with pytest.raises(DiffmidiError, match=r"in this model: a run begins from another only with its tokenizer, backb"):
        train(fork("other", "backbone.width=32"))


def test_what_is_no_run_is_said(fork, constant, tmp_path):
    session = fork("forked")
    session.begin_from = (tmp_path / "nowhere", None)
    with pytest.raises(UsageError, match=r"there is no run in .*nowhere to begin from"):
        remember_origin(session)
    session.begin_from = (constant.folder.path, 5)
    with pytest.raises(DiffmidiError, match=r"no checkpoint of step 5 .* There are: 2, 4, 6"):
        remember_origin(session)


def test_an_origin_that_has_changed_is_refused(fork, constant, rewrite):
    session = fork("forked")
    rewrite(constant.folder.checkpoints / "step-000006" / "manifest.json", weights="0" * 16)
    with pytest.raises(DiffmidiError, match="is not what this run was to begin from"):
        train(session)
    session.folder.note(began={"run": 3})
    with pytest.raises(DiffmidiError, match=r"run\.json does not hold what the run began from \(run: "):
        train(session)


def test_the_average_goes_on_from_where_it_was(fork):
    session = fork("forked", "train.iterations=2")
    trainer = Trainer(session)
    assert trainer.before == 0
    trainer.begin_from(origin_of(session.folder))
    assert (trainer.before, trainer.step) == (6, 0)
    assert trainer.best.step is None
