"""The stages of a run, in order, over one session."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from diffmidi_core.config import RunConfig
from diffmidi_core.contracts.source import Source
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.augment import Augmentation, settled
from diffmidi_core.data.prepare import REPORT, TOKENIZER, prepare
from diffmidi_core.data.sustained import Sustained
from diffmidi_core.engine.build import build, build_tokenizer
from diffmidi_core.engine.deepspeed import check_installed
from diffmidi_core.engine.ranks import rank, world_size
from diffmidi_core.engine.session import Session
from diffmidi_core.engine.stop import Stop
from diffmidi_core.errors import StoppedError


def prepare_data(session: Session, *, command: str = "prepare") -> None:
    """Music to a token dataset, in the run's folder; every process does its share.

    Raises StoppedError after Ctrl-C or SIGTERM, which says how to go on by `command`.
    """
    session.begin("prepare")
    config, options = session.config, session.config.prepare
    # What training cannot do is said before any music is read for it.
    check_installed()
    Augmentation(settled(config.augment, epochs=0), session.tokenizer)
    source = _source(config)
    with Stop() as stop:
        try:
            report = prepare(
                source,
                session.tokenizer,
                session.folder.data,
                heldout=options.heldout,
                test=options.test,
                hooks=session.hooks,
                near_duplicates=options.near_duplicates,
                group=options.group,
                labels=Path(options.labels) if options.labels else None,
                workers=options.workers,
                make=partial(_parts, config, session.folder.data / TOKENIZER),
                rank=rank(),
                ranks=world_size(),
                stop=lambda: stop.asked,
            )
        except StoppedError as stopped:
            raise StoppedError(f"{stopped} Go on with: diffmidi {command} --resume {session.folder.path}") from None
    session.end("prepare", report.summary())


def _parts(config: RunConfig, saved: Path) -> tuple[Source, Tokenizer]:
    """What a worker process reads and encodes with: the same parts, found by their names again."""
    return _source(config), build_tokenizer(config, saved)


def _source(config: RunConfig) -> Source:
    source: Source = build("source", config.source, data=config.data)
    return Sustained(source) if config.prepare.sustain else source


def run(session: Session, *, resume: bool = False) -> None:
    """All stages, from prepare to report. With `resume`, what is done already is not done again."""
    from diffmidi_core.engine.evaluate import evaluate
    from diffmidi_core.engine.render import render
    from diffmidi_core.engine.report import report
    from diffmidi_core.engine.sample import sample
    from diffmidi_core.engine.train import train

    # Before the accelerator: reading music needs no torch, and mistakes in the data come out at once.
    if not (resume and (session.folder.data / REPORT).exists()):
        prepare_data(session, command="run")
    train(session, resume=resume)
    sample(session)
    evaluate(session)
    if session.accelerator.is_main_process:
        render(session)
        report(session)
    session.accelerator.wait_for_everyone()
    session.end("run")
