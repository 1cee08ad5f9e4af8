"""The stages of a run, in order, over one session."""

from __future__ import annotations

from diffmidi_core.contracts.source import Source
from diffmidi_core.data.prepare import REPORT, prepare, summary
from diffmidi_core.engine.build import build
from diffmidi_core.engine.session import Session


def prepare_data(session: Session) -> None:
    """Music to a token dataset, in the run's folder; the main process does it, the others wait."""
    session.begin("prepare")
    source: Source = build("source", session.config.source, data=session.config.data)
    report = prepare(
        source, session.tokenizer, session.folder.data, heldout=session.config.prepare.heldout, hooks=session.hooks
    )
    session.end("prepare", summary(report))


def run(session: Session, *, resume: bool = False) -> None:
    """All stages: prepare, train, sample, evaluate, render. With `resume`, what is done already is not done again."""
    from diffmidi_core.engine.evaluate import evaluate
    from diffmidi_core.engine.render import render
    from diffmidi_core.engine.sample import sample
    from diffmidi_core.engine.train import train

    # Before the accelerator: reading music needs no torch, and mistakes in the data come out at once.
    if not (resume and (session.folder.data / REPORT).exists()):
        _on_main_first(session)
    train(session, resume=resume)
    sample(session)
    evaluate(session)
    if session.accelerator.is_main_process:
        render(session)
    session.accelerator.wait_for_everyone()
    session.end("run")


def _on_main_first(session: Session) -> None:
    import os

    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        prepare_data(session)
        return
    with session.accelerator.main_process_first():
        if session.accelerator.is_main_process:
            prepare_data(session)
