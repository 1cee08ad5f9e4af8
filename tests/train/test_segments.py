"""run.json says in which stretches a run was trained, and what was changed for each."""

import json
import os

import pytest
from filelock import FileLock, Timeout

from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.machine.session import Session
from diffmidi_core.saved import checkpoint
from diffmidi_core.saved.manifest import Manifest
from diffmidi_core.train.whole import train

FEW = ("train.iterations=4", "train.save_every=2", "train.evaluate_every=4", "train.log_every=4")


def segments(session):
    return json.loads(session.folder.facts_file.read_text())["segments"]


def going_on(session, listeners=(), **flags):
    """A session that resumes the run with flags."""
    config, changed = session.folder.changed({f"train.{name}": value for name, value in flags.items()})
    again = Session(session.folder, config, changed)
    again.hooks = type(session.hooks)(listeners)
    return again


def test_a_run_is_one_segment_and_a_resume_that_goes_further_is_another(trainer, ears):
    session = trainer("run", *FEW, "train.anneal=false").session
    train(session)
    (first,) = segments(session)
    assert (first["from"], first["to"], first["changed"]) == (0, 4, {})
    assert (first["windows"], first["processes"], first["precision"]) == (4, 1, "fp32")
    assert {"torch", "diffmidi"} <= first["versions"].keys()
    frozen = session.folder.config_file.read_bytes()

    train(going_on(session), resume=True)
    assert segments(session) == [first], "nothing was left to do"
    train(going_on(session, [("ears", ears)], iterations=6), resume=True)
    assert segments(session)[0] == first
    assert [(each["from"], each["to"]) for each in segments(session)] == [(0, 4), (4, 6)]
    assert segments(session)[1]["changed"] == {"train.iterations": [4, 6]}
    assert session.folder.config_file.read_bytes() == frozen
    assert session.folder.config().train.iterations == 6
    assert not ears.warnings


def test_one_that_came_to_nothing_hands_its_changes_on(trainer, monkeypatch):
    session = trainer("run", *FEW, "train.anneal=false").session
    train(session)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(going_on(session, iterations=8, keep=1), resume=True)
    assert [(each["from"], each["to"]) for each in segments(session)] == [(0, 4), (4, 4)]
    train(going_on(session, keep=2), resume=True)
    assert [(each["from"], each["to"]) for each in segments(session)] == [(0, 4), (4, 8)]
    assert segments(session)[1]["changed"] == {"train.iterations": [4, 8], "train.keep": [3, 2]}


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        ((), True),
        (("train.anneal=false",), False),
        (("train.decay=2",), True),
    ],
)
def test_that_a_longer_run_would_have_been_another_is_said(trainer, ears, options, warned):
    session = trainer("run", *FEW, *options).session
    train(session)
    train(going_on(session, [("ears", ears)], iterations=6), resume=True)
    said = [warning for warning in ears.warnings if "this is not the same as one run of 6 iterations" in warning]
    assert len(said) == warned


def test_before_the_rate_falls_a_longer_run_is_the_same(trainer, ears):
    session = trainer("run", *FEW, "train.decay=2").session
    train(session)
    last = session.folder.checkpoints / "step-000004"
    last.rename(session.folder.path / "gone")
    train(going_on(session, [("ears", ears)], iterations=6), resume=True)
    assert not ears.warnings
    long = trainer("long", *FEW, "train.decay=2", "train.iterations=6").session
    train(long)
    weights = [
        Manifest.read(each.folder.checkpoints / "step-000006" / "manifest.json").weights for each in (session, long)
    ]
    assert weights[0] == weights[1]


def test_a_step_stays_of_as_many_windows(trainer, monkeypatch):
    session = trainer("run", *FEW).session
    train(session)
    train(going_on(session, batch_size=2, accumulate=2, iterations=6), resume=True)
    with pytest.raises(UsageError, match=r"trains on 4 windows a step.* 1 process with --batch-size 3 .* would take 6"):
        train(going_on(session, batch_size=3, iterations=8), resume=True)


def test_a_run_that_is_trained_is_not_trained_by_another(trainer, monkeypatch):
    """That processes keep each other out is in tests/run/test_lock.py."""

    def taken(lock, **_):
        raise Timeout(lock.lock_file)

    session = trainer("run", *FEW).session
    monkeypatch.setattr(FileLock, "acquire", taken)
    with pytest.raises(DiffmidiError, match="run is in use: another process is at it"):
        train(session)
    assert not session.folder.checkpoints.exists()


def test_what_a_killed_process_left_is_swept(trainer):
    session = trainer("run", *FEW).session
    old, new = session.folder.path / ".writing-old.json", session.folder.path / ".writing-new.json"
    for file in (old, new):
        file.write_text("{")
    os.utime(old, (0, 0))
    session.folder.checkpoints.mkdir()
    (session.folder.checkpoints / ".writing-x").mkdir()
    train(session)
    assert not old.exists()
    assert new.exists(), "another process may be writing it"
    assert not list(session.folder.checkpoints.glob(".*"))
