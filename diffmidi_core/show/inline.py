"""Music as plain HTML that a notebook shows: a piano roll, a player, a link. No script, and nothing is fetched.

Text and lines have the colour of the text around them, so that they are seen on light and on dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import Score
from diffmidi_core.show.cards import data_url
from diffmidi_core.show.mp3 import mp3
from diffmidi_core.show.palette import TRACKS, VELOCITIES
from diffmidi_core.show.roll import HEIGHT, LEFT, LONG, WIDE, WIDTH, Roll, bars, columns, draw, ends

SOUND = 420_000
"""Bytes of sound in one output at most, which are 560 kB as text."""
SHOWN = 8
"""Pieces in one output."""
_LOUD = (*VELOCITIES[1:4], VELOCITIES[-1])
_FAINT = (0.75, 0.85, 0.95, 1.0)


def roll_of(score: Score, *, wide: bool | None = None) -> Roll:
    """The roll of a score; wide by default where it is much longer than eight bars: on a phone that is small."""
    notes = columns(score)
    seconds = ends(notes)
    across = WIDE if (seconds >= 3 * LONG if wide is None else wide) else WIDTH
    return draw(notes, seconds, bars=bars(score, seconds), across=across)


def svg(roll: Roll, title: str) -> str:
    """A roll as an SVG element of its own."""
    size = 12 if roll.width > WIDTH else 10
    parts = [
        f'<svg viewBox="0 -10 {roll.width:g} {HEIGHT + 26:g}" role="img" aria-label="{escape(title)}: {roll.summary}" '
        f'style="display:block;width:100%;height:auto" font-size="{size}" fill="currentColor">'
    ]
    lines = "".join(f"M{at:.1f} 0V{HEIGHT:g}" for at, _ in roll.ticks)
    lines += "".join(f"M{LEFT:g} {y:.1f}H{roll.width:g}" for y, _ in roll.octaves)
    parts.append(f'<path d="{lines}" stroke="currentColor" stroke-opacity=".18" fill="none"/>')
    parts += [
        f'<text x="{at:.1f}" y="{HEIGHT + 13:g}" text-anchor="middle" opacity=".7">{name}</text>'
        for at, name in roll.ticks
        if name
    ]
    parts += [f'<text x="0" y="{y - 1:.1f}" opacity=".7">{name}</text>' for y, name in roll.octaves]
    for track, level, path in roll.shades:
        if path:
            several = roll.tracks > 1
            colour = TRACKS[track] if several else _LOUD[level]
            faint = f' opacity="{_FAINT[level]}"' if several and _FAINT[level] < 1 else ""
            parts.append(f'<path fill="{colour}"{faint} d="{path}"/>')
    return "".join([*parts, "</svg>"])


def player(score: Score, title: str, most_bytes: int = SOUND) -> str:
    """An audio element that holds its sound; a sentence where none can be made."""
    try:
        sound = mp3(score, most_bytes)
    except DiffmidiError as error:
        return f"<p>{escape(str(error))}</p>"
    cut = (
        ""
        if sound.seconds >= sound.whole - 0.01
        else f"<div>The first {sound.seconds:.0f} of {sound.whole:.0f} s.</div>"
    )
    return (
        f'<audio controls preload="metadata" aria-label="Play {escape(title)}" '
        f'style="display:block;width:100%;height:40px" '
        f'src="{data_url("audio/mpeg", sound)}"></audio>{cut}'
    )


def card(score: Score, midi: bytes, title: str, most_bytes: int = SOUND) -> str:
    """A piece: what it is called, roll, player, and a link that saves it."""
    roll = roll_of(score)
    name = f"{title.lower().replace(' ', '-')}.mid"
    return (
        f'<div style="flex:1 1 {"440px" if roll.width > WIDTH else "320px"};min-width:min(100%,300px);max-width:880px">'
        f'<div style="display:flex;flex-wrap:wrap;gap:0 1em;justify-content:space-between"><b>{escape(title)}</b>'
        f'<span style="opacity:.75">{roll.summary}</span></div>{svg(roll, title)}{player(score, title, most_bytes)}'
        f'<a href="{data_url("audio/midi", midi)}" download="{escape(name)}">Save as MIDI</a></div>'
    )


def row(cards: Sequence[str], more: str = "") -> str:
    """Cards side by side where there is room."""
    return f'<div style="display:flex;flex-wrap:wrap;gap:20px 24px;padding:4px">{"".join(cards)}</div>{more}'


def facts(title: str, rows: Mapping[str, str]) -> str:
    """A title, and what is known, a line each."""
    lines = "".join(
        f'<tr><td style="text-align:left;padding:2px 1.2em 2px 0;opacity:.75;vertical-align:top">{escape(name)}</td>'
        f'<td style="text-align:left;padding:2px 0">{escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f'<div><b>{escape(title)}</b><table style="margin:4px 0;border:0">{lines}</table></div>'
