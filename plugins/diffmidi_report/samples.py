"""Samples as cards: what is heard, what is seen, what is said of each; and a sample's words."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffmidi_core.api import DiffmidiError, Score, TrainingMusic, printable, read_midi
from diffmidi_report.declarations import ReportOptions
from diffmidi_report.roll import LEFT, PASSAGE_HEIGHT, WIDTH, Roll, around, columns, draw, ends
from diffmidi_report.run import Run
from diffmidi_report.sound import Sound, small

WAVE_HEIGHT = 44.0
_BASE64 = 4 / 3
_TYPE = re.compile(r"\D*")
"""What a word's type is told by: all before its number."""


@dataclass(frozen=True)
class Nearest:
    """The training passage that is nearest to a sample, as the metric `originality` found it."""

    notes: int
    piece: str = ""
    first: int = 0
    roll: Roll | None = None


@dataclass
class Card:
    """One sample, as far as its files go; `missing` says what is not there, and what to do."""

    name: str
    roll: Roll | None = None
    wave: str = ""
    sound: Sound | None = None
    audio: str = ""
    midi: str = ""
    nearest: Nearest | None = None
    missing: list[str] = field(default_factory=list)


def cards(
    run: Run, paths: Sequence[Path], training: Callable[[], TrainingMusic | None], options: ReportOptions
) -> list[Card]:
    """A card for each sample; together their sound stays below `options.megabytes` in the page."""
    most = int(options.megabytes * 1e6 / _BASE64 / max(1, len(paths)))
    matches = {path: run.rows.get(path.name, {}).get("originality") or {} for path in paths}
    music = training() if any(matches.values()) else None
    return [_card(path, most, matches[path], music) for path in paths]


def _card(path: Path, most_bytes: int, match: Mapping[str, float], music: TrainingMusic | None) -> Card:
    card = Card(printable(path.name))
    card.sound, score = _sound(path, most_bytes, card), _score(path, card)
    # Notes and sound share one axis of time, so that they stand below each other.
    seconds = max(card.sound.seconds if card.sound else 0.0, ends(columns(score)) if score is not None else 0.0)
    if score is not None:
        notes = columns(score)
        start, count = (int(match["start"]), int(match["match"])) if match else (0, 0)
        card.roll = draw(notes, seconds, marked=(start, count))
        if 0 <= start < start + count <= len(notes["time"]):
            card.nearest = _nearest(match, music, float(notes["time"][start]), seconds)
    if card.sound is not None:
        card.wave = _outline(card.sound, seconds)
    return card


def _sound(path: Path, most_bytes: int, card: Card) -> Sound | None:
    wav = path.with_name(path.name + ".wav")
    try:
        if not wav.exists():
            raise DiffmidiError(f"No sound: there is no {printable(wav.name)}, which the renderer wav makes.")
        found = small(wav, most_bytes)
        card.audio = _data_url("audio/wav", found.data)
    except DiffmidiError as error:
        card.missing.append(str(error))
        return None
    return found


def _score(path: Path, card: Card) -> Score | None:
    midi = path.with_name(path.name + ".mid")
    try:
        if not midi.exists():
            raise DiffmidiError(f"No piano roll: there is no {printable(midi.name)}.")
        found = read_midi(midi)
        card.midi = _data_url("audio/midi", midi.read_bytes())
    except DiffmidiError as error:
        card.missing.append(str(error))
        return None
    return found


def _nearest(match: Mapping[str, float], music: TrainingMusic | None, at: float, seconds: float) -> Nearest:
    """The training passage drawn so that what it shares with the sample stands right below it, from second `at` on."""
    notes, piece, first = int(match["match"]), int(match["piece"]), int(match["note"])
    there = columns(music.read(piece)) if music is not None and piece < len(music) else None
    if music is None or there is None or first + notes > len(there["time"]):
        return Nearest(notes)
    shown, number = around(there, first, at, seconds)
    roll = draw(shown, seconds, marked=(number, notes), height=PASSAGE_HEIGHT)
    return Nearest(notes, printable(music.names[piece]), first + 1, roll)


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
