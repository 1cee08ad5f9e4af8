"""train: a whole training of a run, from where it begins to its last checkpoint."""

from __future__ import annotations

from diffmidi_core.data.report import figures
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import sweep
from diffmidi_core.machine.deterministic import deterministic
from diffmidi_core.machine.ranks import done_by_main
from diffmidi_core.machine.session import Session
from diffmidi_core.saved import checkpoint
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.saved.lock import hold
from diffmidi_core.train import plan, segments
from diffmidi_core.train.beginning import check_prepared, origin_of
from diffmidi_core.train.listening import Aloud
from diffmidi_core.train.loop import Trainer

OLD = 3600.0
"""Seconds after which a half-written file of the run is a killed process's, and not one that is being written."""


def train(session: Session, *, resume: bool = False, aloud: Aloud | None = None) -> None:
    """Train the run's process: from nothing, from another run's checkpoint, or on from its own newest one.

    While it does, no other process can prepare or train this run (saved/lock.py). `aloud` renders what it draws.
    """
    with hold(session.folder.path, "train"), deterministic(session.config.train.deterministic):
        _train(session, resume, aloud)


def _train(session: Session, resume: bool, aloud: Aloud | None) -> None:
    folder = session.folder
    known = checkpoint.steps(folder.checkpoints)
    if not resume and known:
        raise DiffmidiError(
            f"{folder.path} holds checkpoints already: go on from the newest with --resume, "
            "or begin a new run in another folder."
        )
    segments.check_windows(session)
    done_by_main(lambda: _sweep(folder))
    asked = session.config
    plan.settle(session, lambda: Trainer(session))
    session.begin("train")
    trainer = Trainer(session, aloud)
    check_prepared(folder, trainer.dataset)
    if resume and known:
        trainer.resume()
    elif (began := origin_of(folder)) is not None:
        trainer.begin_from(began)
    # What was logged after the checkpoint, or before there was any, will be logged again.
    folder.truncate_log(trainer.step if trainer.step else -1)
    folder.freeze(asked)
    if trainer.goes_on:
        if (remark := segments.remark(session.changed, session.config.train, trainer.step)) is not None:
            session.hooks.warn(remark)
        segments.begin(session, trainer.step)
    folder.note(
        parameters=sum(parameter.numel() for parameter in trainer.process.parameters()),
        data=figures(trainer.dataset.report),
        epochs=round(trainer.epochs, 2),
        transpose=trainer.varied.transpose,
    )
    trainer.run()
    session.end("train")


def _sweep(folder: RunFolder) -> None:
    sweep(folder.checkpoints)
    sweep(folder.path, older=OLD)
