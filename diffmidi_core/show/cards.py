"""A piece on a page: its notes above its sound, with a line that player.js moves; and what gives these their looks."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from diffmidi_core.music.notes import Score
from diffmidi_core.show.palette import TRACKS, VELOCITIES
from diffmidi_core.show.roll import HEIGHT, LEFT, LONG, WIDE, WIDTH, Columns, Roll, around, bars, columns, draw, ends
from diffmidi_core.show.sound import Sound
from diffmidi_core.show.sound import small as small_sound

if TYPE_CHECKING:
    from jinja2 import Environment

WAVE_HEIGHT = 44.0
PASSAGE_HEIGHT = 80.0

__all__ = ["PieceView", "Sound", "data_url", "passage_html", "piece_html", "piece_style", "piece_view", "small_sound"]


@dataclass(frozen=True)
class PieceView:
    """Notes and sound over one axis of time, so that they stand below each other.

    Attributes:
        notes: as columns, by onset, then pitch; None where the notes are not known.
        seconds: that the drawing spans.
        width: of the drawing: a long piece's is wide.
        wave: an SVG path round the extremes of the sound; "" without sound.
    """

    notes: Columns | None
    roll: Roll | None
    sound: Sound | None
    seconds: float
    width: float
    wave: str

    @property
    def summary(self) -> str:
        """The music in words; "" where the notes are not known."""
        return self.roll.summary if self.roll else ""


def piece_view(score: Score | None, sound: Sound | None, marked: tuple[int, int] = (0, 0)) -> PieceView:
    """A piece of which at least one of both is known; `marked` says from which note on how many stand out."""
    notes = None if score is None else columns(score)
    seconds = max(sound.seconds if sound else 0.0, 0.0 if notes is None else ends(notes))
    width = WIDE if seconds >= LONG else WIDTH
    roll = None
    if score is not None and notes is not None:
        roll = draw(notes, seconds, marked=marked, bars=bars(score, seconds), across=width)
    return PieceView(notes, roll, sound, seconds, width, _outline(sound, seconds, width) if sound else "")


def piece_html(view: PieceView, name: str) -> Markup:
    """The drawing and the player below it; `name` is what the piece is called anywhere on the page.

    It stands in an element of class "card" of its own, which is how the player finds what it plays.
    """
    audio = data_url("audio/wav", view.sound.data) if view.sound else ""
    return _template("piece.html", view=view, name=name, audio=audio)


def passage_html(score: Score, first: int, count: int, at: float, beside: PieceView, what: str) -> Markup | None:
    """Another piece's notes, its note `first` below second `at` of `beside`; from it on, `count` notes stand out.

    None where it has no such notes. `what` says what is seen.
    """
    there = columns(score)
    if first + count > len(there["time"]):
        return None
    shown, number = around(there, first, at, beside.seconds)
    roll = draw(shown, beside.seconds, marked=(number, count), height=PASSAGE_HEIGHT, across=beside.width)
    return _template("passage.html", roll=roll, what=what)


def piece_style() -> Markup:
    """The style of cards, in the palette of the pictures; it stands on a page once, above them."""
    return _template("piece.css", velocities=VELOCITIES, tracks=TRACKS)


def data_url(mime: str, data: bytes) -> str:
    """A file as an address that holds it."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _outline(sound: Sound, seconds: float, across: float) -> str:
    """An SVG path round the extremes of the sound."""
    width = (across - LEFT) * sound.seconds / seconds
    half = WAVE_HEIGHT / 2
    count = len(sound.outline)
    at = [LEFT + width * index / max(1, count - 1) for index in range(count)]
    upper = [f"{x:.1f} {half - high * half:.1f}" for x, (_, high) in zip(at, sound.outline, strict=True)]
    lower = [f"{x:.1f} {half - low * half:.1f}" for x, (low, _) in zip(at, sound.outline, strict=True)]
    return "M" + "L".join([*upper, *reversed(lower)]) + "z"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # renderers write no pages

    environment = Environment(
        loader=PackageLoader("diffmidi_core.show", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "height": HEIGHT,
        "left": LEFT,
        "wide_from": WIDTH,
        "wave_height": WAVE_HEIGHT,
        "passage_height": PASSAGE_HEIGHT,
    }
    return environment


def _template(file: str, /, **values: object) -> Markup:
    return Markup(_environment().get_template(file).render(values))
