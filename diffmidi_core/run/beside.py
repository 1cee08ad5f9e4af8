"""An installed model plays beside a run: a few pieces that its page shows too, as that model's and not the run's."""

from __future__ import annotations

import shutil

from diffmidi_core.draw.model import Model, open_model
from diffmidi_core.draw.pieces import Computing
from diffmidi_core.draw.sample import draw_into
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.machine.precision import autocast, resolve_precision
from diffmidi_core.machine.session import Session
from diffmidi_core.numbers import counted
from diffmidi_core.registry import find, offers
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.show.render import render_first

PIECES, LENGTH = 3, "8 bars"


def play_beside(session: Session, name: str) -> DrawFolder | None:
    """The pieces in the run's folder beside/NAME, drawn unless they are there; None where no such model is installed.

    They are no draw of the run's, and no figure counts them. By one process. What goes wrong is told, and the run goes
    on.
    """
    if name not in {each for offer in offers("model") for each in (offer.name, offer.spelling)}:
        return None
    draw = DrawFolder(session.folder.beside / name.replace(":", "-"))
    if draw.request_file.is_file():
        return draw
    partial = DrawFolder(draw.path.with_name(f".writing-{draw.path.name}"))
    try:
        shutil.rmtree(partial.path, ignore_errors=True)  # of a run that was stopped while this one played
        partial.path.mkdir(parents=True)
        _draw(session, open_model(find("model", name).folder(), tell=session.hooks.warn), name, partial)
        partial.path.rename(draw.path)
    except (DiffmidiError, OSError) as error:
        session.hooks.warn(f"The installed model {name} does not play on this run's page: {error}")
        shutil.rmtree(partial.path, ignore_errors=True)
        return None
    return draw


def _draw(session: Session, model: Model, name: str, draw: DrawFolder) -> None:
    request = model.request({"sample.count": PIECES, "sample.length": LENGTH, "seed": session.config.seed})
    about = (
        f"Writing {counted(PIECES, 'piece')} of {LENGTH} by the installed model {name}, to be heard beside the run's"
    )
    session.begin("sample", about)
    device, precision = session.accelerator.device, resolve_precision(model.precision)
    model.process.to(device)
    what = "bars" if model.tokenizer.plan else "reverse steps"
    computing = Computing(
        lambda: autocast(precision, device),
        on_step=lambda done, total: session.hooks.emit("progress", what=what, done=done, total=total),
        warn=session.hooks.warn,
    )
    draw_into(draw, model, request, computing)
    render_first(draw, session.config.renderers, most=PIECES, title=f"Model {name}")
    session.end("sample")
