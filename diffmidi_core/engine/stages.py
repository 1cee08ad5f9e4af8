"""The stages of a run, in order, over one session."""

from __future__ import annotations

from typing import Any

from diffmidi_core.contracts.source import Source
from diffmidi_core.data.prepare import REPORT, prepare, summary
from diffmidi_core.engine.build import build
from diffmidi_core.engine.ranks import done_by_main
from diffmidi_core.engine.session import Session


def prepare_data(session: Session) -> None:
    """Music to a token dataset, in the run's folder; the main process does it, the others wait."""
    session.begin("prepare")
    session.end("prepare", done_by_main(lambda: _prepared(session)))


def _prepared(session: Session) -> dict[str, Any]:
    config = session.config
    source: Source = build("source", config.source, data=config.data)
    return summary(
        prepare(source, session.tokenizer, session.folder.data, heldout=config.prepare.heldout, hooks=session.hooks)
    )


def run(session: Session, *, resume: bool = False) -> None:
    """All stages, from prepare to report. With `resume`, what is done already is not done again."""
    from diffmidi_core.engine.evaluate import evaluate
    from diffmidi_core.engine.render import render
    from diffmidi_core.engine.report import report
    from diffmidi_core.engine.sample import sample
    from diffmidi_core.engine.train import train

    # Before the accelerator: reading music needs no torch, and mistakes in the data come out at once.
    if not (resume and (session.folder.data / REPORT).exists()):
        prepare_data(session)
    train(session, resume=resume)
    sample(session)
    evaluate(session)
    if session.accelerator.is_main_process:
        render(session)
        report(session)
    session.accelerator.wait_for_everyone()
    session.end("run")
