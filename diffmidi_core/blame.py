"""Whose fault an error is: the part in whose code it was raised, wherever it was called from.

A schedule that fails does so inside a process, and a backbone inside a sampler: whoever called is not to blame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from diffmidi_core.sections import BUILTIN_PACKAGE

if TYPE_CHECKING:
    from diffmidi_core.offer import Offer

_MADE: WeakKeyDictionary[type, Offer] = WeakKeyDictionary()
"""The classes that were taken for a part, and which offer they are of."""


def remember(implementation: type, offer: Offer) -> None:
    """Note which offer a class is of."""
    _MADE[implementation] = offer


def culprit(error: BaseException) -> Offer | None:
    """The part that raised an error: of others' parts that were running the innermost, else of ours; None: none was.

    Others' come first, as a part of ours that is given what it cannot take fails in its own code.
    """
    running = list(_running(error))
    return next((offer for offer in running if not is_ours(offer)), running[0] if running else None)


def is_ours(offer: Offer) -> bool:
    """Whether it is a built-in."""
    return offer.package == BUILTIN_PACKAGE


def _running(error: BaseException) -> Iterator[Offer]:
    """The parts whose methods were running, the innermost first."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    for frame in reversed(frames):
        inside = frame.f_locals
        for kind in (type(inside.get("self")), inside.get("cls")):
            if isinstance(kind, type) and kind in _MADE:
                yield _MADE[kind]
