"""What fits on the page: the newest draw first, whole and with its sound, then the others as far as there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from markupsafe import Markup

from diffmidi_report.run import Draw
from diffmidi_report.samples import Card, Training, card

FRAME = 30_000
"""Bytes that the page itself takes, and what stands round the cards."""
LEAST_SOUND = 40_000
"""Bytes under which a piece's sound is left out: a second and a quarter."""
_OUTLINE = 8000
"""Bytes that the outline of a sound takes."""
_HEADING = 2000
"""Bytes that stand above a draw's cards."""

Write = Callable[[Card], Markup]
Extra = Callable[[Draw], Markup]
"""What stands below the cards of a draw."""


@dataclass(frozen=True)
class Shown:
    """A draw as the page shows it: some of its pieces' cards, as HTML."""

    draw: Draw
    cards: list[Markup]
    matched: bool
    below: Markup


def fitted(
    newest: Draw | None,
    others: Sequence[Draw],
    training: Training,
    *,
    most: int,
    room: int,
    write: Write,
    below: Extra,
) -> tuple[Shown | None, list[Shown], list[Draw]]:
    """The newest draw, the others that fit, and those that do not.

    Args:
        newest: the draw whose sound comes first.
        others: by how much they matter.
        training: what the model was trained on.
        most: pieces of a draw.
        room: bytes for all of it.
        write: a card as HTML.
        below: what stands below the cards of a draw that is not the newest.
    """
    training = cache(training)
    first, room = _silent(newest, training, most, room, write, at_least=1) if newest else ([], room)
    # Half of what is left is for the sound of the newest.
    rest, left = [], room // 2
    for draw in others:
        extra = below(draw)
        cards, after = _silent(draw, training, most, left - len(extra.encode()) - _HEADING, write)
        if draw.pieces and most and not cards:
            break
        rest.append((draw, cards, extra))
        room, left = room - (left - after), after
    shown = None
    if newest:
        first, room = _sounding(newest, first, training, room, write, cut=True)
        shown = _shown(newest, first, Markup(), write)
    found = []
    for draw, cards, extra in rest:
        cards, room = _sounding(draw, cards, training, room, write, cut=False)
        found.append(_shown(draw, cards, extra, write))
    return shown, found, list(others[len(found) :])


def _silent(
    draw: Draw, training: Training, most: int, room: int, write: Write, *, at_least: int = 0
) -> tuple[list[Card], int]:
    """Cards without sound, as many as fit, and the room that is left."""
    found: list[Card] = []
    for piece in draw.pieces[:most]:
        made = card(draw, piece, training)
        size = _size(made, write)
        if size > room and len(found) >= at_least:
            break
        found.append(made)
        room -= size
    return found, room


def _sounding(
    draw: Draw, cards: list[Card], training: Training, room: int, write: Write, *, cut: bool
) -> tuple[list[Card], int]:
    """The cards with their sound, all dulled alike; cut at the end only if `cut`, else left out if too long."""
    heard = sum(each.wav is not None for each in cards)
    share = room // max(1, heard) - _OUTLINE
    found = []
    for silent, piece in zip(cards, draw.pieces, strict=False):
        made = silent
        if silent.wav is not None:
            if share >= LEAST_SOUND:
                made = card(draw, piece, training, most_bytes=share)
            sound = made.view.sound if made.view else None
            if sound is not None and sound.seconds < sound.whole - 0.01 and not cut:
                made = silent
            if made is silent:
                where = f"draws/{draw.name}/{silent.wav.name}"
                why = f"There is no room for its sound on this page (report.megabytes): it is in {where}."
                made = replace(silent, missing=[*silent.missing, why])
        room -= max(0, _size(made, write) - _size(silent, write))
        found.append(made)
    return found, room


def _size(card: Card, write: Write) -> int:
    return len(write(card).encode())


def _shown(draw: Draw, cards: list[Card], below: Markup, write: Write) -> Shown:
    return Shown(draw, [write(each) for each in cards], any(each.nearest for each in cards), below)
