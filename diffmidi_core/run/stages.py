"""The stages of a run, in order, over one session."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

from diffmidi_core.config import PLURAL, SINGLE, RunConfig
from diffmidi_core.contracts.source import Source
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.augment import Augmentation, resolved
from diffmidi_core.data.chosen import Chosen
from diffmidi_core.data.prepare import REPORT, TOKENIZER, Choices, Running, prepare
from diffmidi_core.data.sustained import Sustained
from diffmidi_core.errors import DiffmidiError, StoppedError
from diffmidi_core.machine.build import build, build_tokenizer, check_parts
from diffmidi_core.machine.deepspeed import check_installed
from diffmidi_core.machine.ranks import done_by_main, rank, world_size
from diffmidi_core.machine.session import Session
from diffmidi_core.machine.stop import Stop
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.lock import hold


def prepare_data(session: Session, *, command: str = "prepare") -> None:
    """Music to a token dataset, in the run's folder; every process does its share.

    Raises StoppedError after Ctrl-C or SIGTERM, which says how to go on by `command`.
    """
    config, options = session.config, session.config.prepare
    music = " ".join(filter(None, (config.source.label, config.data)))
    session.begin("prepare", f"{music} as {config.tokenizer.label} tokens")
    # What training cannot do is reported before any music is read for it.
    check_installed()
    Augmentation(resolved(config.augment, epochs=0), session.tokenizer)
    source = _source(config)
    with hold(session.folder.path, "prepare", agree=False), Stop() as stop:
        try:
            report = prepare(
                source,
                session.tokenizer,
                session.folder.data,
                Choices(
                    heldout=options.heldout,
                    test=options.test,
                    near_duplicates=options.near_duplicates,
                    group=options.group,
                    labels=options.labels,
                ),
                hooks=session.hooks,
                running=Running(
                    workers=options.workers,
                    make=partial(_parts, config, session.folder.data / TOKENIZER),
                    rank=rank(),
                    ranks=world_size(),
                    stop=lambda: stop.asked,
                ),
            )
        except StoppedError as stopped:
            raise StoppedError(f"{stopped} Go on with: diffmidi {command} --resume {session.folder.path}") from None
    session.folder.note(data_fingerprint=report.dataset_fingerprint)
    session.end("prepare", report.summary())


def _parts(config: RunConfig, saved: Path) -> tuple[Source, Tokenizer]:
    """What a worker process reads and encodes with: the same parts, found by their names again."""
    return _source(config), build_tokenizer(config, saved)


def _source(config: RunConfig) -> Source:
    source: Source = build("source", config.source, data=config.data)
    source = Chosen(source, config.prepare.tracks)
    return Sustained(source) if config.prepare.sustain else source


def run(session: Session, *, resume: bool = False, beside: str | None = None) -> DrawFolder | None:
    """All stages, from prepare to report. With `resume`, what is done already is not done again.

    `beside` is an installed model that plays on the page too, where there is one of that name.

    Returns the draw on the main process, None on the others.
    """
    config = session.config
    # A broken part is found before the work that comes before its turn.
    check_parts((kind, getattr(config, kind)) for kind in SINGLE)
    check_parts((kind, part) for kind, many in PLURAL.items() for part in getattr(config, many))

    from diffmidi_core.draw.model import open_model
    from diffmidi_core.draw.sample import sample
    from diffmidi_core.judge.evaluate import evaluate
    from diffmidi_core.run.beside import play_beside
    from diffmidi_core.show.render import render, render_first
    from diffmidi_core.show.report import report
    from diffmidi_core.train.beginning import remember_origin
    from diffmidi_core.train.whole import train

    if session.begin_from is not None:
        remember_origin(session)
    # Before the accelerator: reading music needs none, and mistakes in the data come out at once.
    if not (resume and (session.folder.data / REPORT).exists()):
        prepare_data(session, command="run")
    train(session, resume=resume, aloud=lambda drawn: render_first(drawn, config.renderers))
    model = open_model(session.folder.path, tell=session.hooks.warn)
    request = Request(**config.sample.model_dump(), seed=config.seed, sampler=config.sampler)
    begun = done_by_main(lambda: _begun(session, model.fingerprint, request))
    draw = sample(session, model, request, session.folder.draws, begun=DrawFolder(begun) if begun else None)
    evaluate(session, session.folder, model, draw, config.metrics, config.evaluate)
    if session.accelerator.is_main_process:
        render(session, draw, config.renderers)
        if beside is not None:
            play_beside(session, beside)
        report(session)
    session.accelerator.wait_for_everyone()
    session.end("run")
    return draw if session.accelerator.is_main_process else None


def _begun(session: Session, fingerprint: str, request: Request) -> Path | None:
    """The newest draw of what is asked, whole or not: a run that was stopped while or after drawing goes on with it."""
    for draw in DrawFolder.all(session.folder.draws):
        stored = draw.request()
        same = stored.request == request and stored.precision == session.asked_precision
        if not draw.while_training and same and stored.model.fingerprint == fingerprint:
            with suppress(DiffmidiError):  # one that is damaged is left as it is
                draw.in_order()
                return draw.path
    return None
