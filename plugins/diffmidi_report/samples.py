"""Samples as cards: what is heard, what is seen, what is said of each; and a sample's words."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffmidi_core.api import DiffmidiError, printable, read_midi
from diffmidi_report.declarations import ReportOptions
from diffmidi_report.roll import LEFT, WIDTH, Roll, draw, seconds_of
from diffmidi_report.run import Run
from diffmidi_report.sound import Sound, small

WAVE_HEIGHT = 44.0
_BASE64 = 4 / 3
_TYPE = re.compile(r"\D*")
"""What a word's type is told by: all before its number."""


@dataclass
class Card:
    """One sample, as far as its files go; `missing` says what is not there, and what to do."""

    name: str
    roll: Roll | None = None
    wave: str = ""
    sound: Sound | None = None
    audio: str = ""
    midi: str = ""
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def cards(run: Run, paths: Sequence[Path], options: ReportOptions) -> list[Card]:
    """A card for each sample; together their sound stays below `options.megabytes` in the page."""
    most = int(options.megabytes * 1e6 / _BASE64 / max(1, len(paths)))
    return [_card(run, path, most) for path in paths]


def _card(run: Run, path: Path, most_bytes: int) -> Card:
    card = Card(printable(path.name), rows={name: dict(row) for name, row in run.rows.get(path.name, {}).items()})
    midi, wav = path.with_name(path.name + ".mid"), path.with_name(path.name + ".wav")
    score = None
    try:
        if wav.exists():
            card.sound = small(wav, most_bytes)
            card.audio = _data_url("audio/wav", card.sound.data)
        else:
            card.missing.append(f"No sound: there is no {printable(wav.name)}, which the renderer wav makes.")
        if midi.exists():
            score = read_midi(midi)
            card.midi = _data_url("audio/midi", midi.read_bytes())
        else:
            card.missing.append(f"No piano roll: there is no {printable(midi.name)}.")
    except DiffmidiError as error:
        card.missing.append(str(error))
    # Notes and sound share one axis of time, so that they stand below each other.
    seconds = max(card.sound.seconds if card.sound else 0.0, seconds_of(score) if score else 0.0)
    if score is not None:
        card.roll = draw(score, seconds)
    if card.sound is not None:
        card.wave = _outline(card.sound, seconds)
    return card


def words(path: Path) -> dict[str, Any] | None:
    """The words of a sample with the number of each one's type, and the types with their counts; None: no text."""
    text = path.with_name(path.name + ".txt")
    if not text.is_file():
        return None
    lines = text.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [word for line in lines for word in line.partition("#")[0].split()]
    about = " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))
    counts = Counter(_type(word) for word in said)
    number = {kind: index for index, kind in enumerate(counts)}
    return {"about": about, "types": counts.items(), "words": [(word, number[_type(word)]) for word in said]}


def _type(word: str) -> str:
    found = _TYPE.match(word)
    return found[0].rstrip("_-") if found and found[0] else word


def _outline(sound: Sound, seconds: float) -> str:
    """An SVG path round the extremes of the sound."""
    width = (WIDTH - LEFT) * sound.seconds / seconds
    half = WAVE_HEIGHT / 2
    count = len(sound.outline)
    at = [LEFT + width * index / max(1, count - 1) for index in range(count)]
    upper = [f"{x:.1f} {half - high * half:.1f}" for x, (_, high) in zip(at, sound.outline, strict=True)]
    lower = [f"{x:.1f} {half - low * half:.1f}" for x, (low, _) in zip(at, sound.outline, strict=True)]
    return "M" + "L".join([*upper, *reversed(lower)]) + "z"


def _data_url(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"
