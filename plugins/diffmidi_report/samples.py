"""Pieces as cards: what is heard, what is seen, what is said of each; and a piece's tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from diffmidi.api import DiffmidiError
from diffmidi.api.hook import Judged, PieceRecord
from diffmidi.api.metric import TrainingMusic
from diffmidi.api.renderer import PieceView, Sound, data_url, passage_html, piece_view, small_sound
from diffmidi.api.source import Score, printable, read_midi
from diffmidi_report.run import Draw
from diffmidi_report.words import placeless

MOST_TOKENS = 2000
"""Tokens of a piece that are shown; a long piece has more than anybody reads."""
BASE64 = 4 / 3
_ORIGINALITY = "originality"
_TYPE = re.compile(r"\D*")
"""What a token's type is told by: all before its number."""


@dataclass(frozen=True)
class Nearest:
    """The training passage that is nearest to a piece, as the metric `originality` found it."""

    notes: int
    piece: str = ""
    first: int = 0
    passage: Markup | None = None


@dataclass
class Card:
    """One piece, as far as its files go; `missing` says what is not there, and what to do.

    Attributes:
        name: what it is called in its draw.
        full_name: what it is called anywhere on the page.
        file: what it is saved as.
        wav: its sound file, where there is one.
        links: names of the files beside the page, and where they are from there.
        view: its notes and its sound; None where neither is known.
        midi: its MIDI file as an address.
    """

    name: str
    full_name: str
    file: str
    wav: Path | None = None
    links: list[tuple[str, str]] = field(default_factory=list)
    view: PieceView | None = None
    midi: str = ""
    nearest: Nearest | None = None
    missing: list[str] = field(default_factory=list)


Training = Callable[[], TrainingMusic | None]


def card(drawn: Draw, piece: PieceRecord, training: Training, *, most_bytes: int = 0) -> Card:
    """A piece's card, with as much of its sound as fits into `most_bytes` of the page; by default without."""
    name = f"Piece {piece.number}"
    made = Card(name, f"piece {piece.number} of draw {drawn.name}", f"{drawn.name}-{piece.stem}.mid")
    path = drawn.folder.path
    if "short" in piece.record:
        made.missing.append(
            f"It got stuck before it was {drawn.stored.request.length} long, and was kept as it is: train longer, or "
            "ask for another length."
        )
    sound, score = _sound(path / f"{piece.stem}.wav", most_bytes, made), _score(path / f"{piece.stem}.mid", made)
    made.links = _links(drawn, piece)
    match = longer_than_held_out(drawn.judged, piece.stem) if drawn.judged and score is not None else {}
    start, count = (int(match.get(each, 0)) for each in ("start", "match"))
    if score is None and sound is None:
        return made
    view = made.view = piece_view(score, sound, marked=(start, count))
    if match and view.notes is not None and 0 <= start < start + count <= len(view.notes["time"]):
        made.nearest = _nearest(match, training(), float(view.notes["time"][start]), view)
    return made


def _sound(wav: Path, most_bytes: int, card: Card) -> Sound | None:
    if not wav.exists():
        card.missing.append(f"No sound: there is no {printable(wav.name)}, which the renderer wav makes.")
        return None
    card.wav = wav
    if not most_bytes:
        return None
    try:
        return small_sound(wav, int(most_bytes / BASE64))
    except DiffmidiError as error:
        card.missing.append(printable(placeless(str(error).replace(f"{wav.parent}/", ""))))
        return None


def _score(midi: Path, card: Card) -> Score | None:
    try:
        if not midi.exists():
            raise DiffmidiError(f"No piano roll: there is no {printable(midi.name)}.")
        found = read_midi(midi)
        card.midi = data_url("audio/midi", midi.read_bytes())
    except DiffmidiError as error:
        card.missing.append(printable(placeless(str(error).replace(f"{midi.parent}/", ""))))
        return None
    return found


def _links(drawn: Draw, piece: PieceRecord) -> list[tuple[str, str]]:
    """The piece's own files of sound and picture, in full, as they lie in the run's folder."""
    folder = drawn.folder.path
    pictures = sorted(folder.glob(f"{piece.stem}.*.png"), key=lambda path: ".roll." not in path.name)
    found = [("WAV", folder / f"{piece.stem}.wav"), *(("PNG", path) for path in pictures[:1])]
    below = f"{folder.parent.name}/{folder.name}"
    return [(name, quote(f"{below}/{path.name}")) for name, path in found if path.is_file()]


def longer_than_held_out(judged: Judged, stem: str) -> Mapping[str, float]:
    """A piece's match with training music, if it is longer than that of any music that was not trained on.

    Of how many pieces it is, `originality/copied` says; they are those with the longest. Without held-out music to
    compare with, any match is shown.
    """
    match: Mapping[str, float] = judged.pieces.get(stem, {}).get(_ORIGINALITY, {})
    copied = judged.known.get(f"{_ORIGINALITY}/copied")
    if copied is None or "match" not in match:
        return match
    many = round(copied.value / 100 * copied.count)
    lengths = sorted((found.get(_ORIGINALITY, {}).get("match", 0) for found in judged.pieces.values()), reverse=True)
    return match if many and match["match"] >= lengths[min(many, len(lengths)) - 1] else {}


def _nearest(match: Mapping[str, float], music: TrainingMusic | None, at: float, beside: PieceView) -> Nearest:
    """The training passage drawn so that what it shares with the piece stands right below it, from second `at` on."""
    notes, piece, first = (int(match.get(each, 0)) for each in ("match", "piece", "note"))
    if music is None or piece >= len(music):
        return Nearest(notes)
    what = "Piano roll of the nearest training passage"
    passage = passage_html(music.read(piece), first, notes, at, beside, what)
    return Nearest(notes) if passage is None else Nearest(notes, printable(music.names[piece]), first + 1, passage)


def tokens(piece: PieceRecord) -> dict[str, Any]:
    """The first tokens of a piece with the number of each one's type, the types of all with their counts, and how many
    are not shown.
    """
    counts = Counter(map(_type, piece.tokens))
    number = {kind: index for index, kind in enumerate(counts)}
    shown = piece.tokens[:MOST_TOKENS]
    return {
        "types": counts.items(),
        "tokens": [(printable(token), number[_type(token)]) for token in shown],
        "left_out": len(piece.tokens) - len(shown),
    }


def _type(token: str) -> str:
    found = _TYPE.match(token)
    return found[0].rstrip("_-") if found and found[0] else token
