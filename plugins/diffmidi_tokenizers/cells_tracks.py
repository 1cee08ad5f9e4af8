"""Which track of a file is what: a hand of the piano's, a voice, or a family of General MIDI's instruments."""

from __future__ import annotations

import re
from collections.abc import Sequence

FAMILIES = {
    "chromatic": ("Chromatic percussion", 8),
    "organ": ("Organ", 16),
    "guitar": ("Guitar", 24),
    "bass": ("Bass", 32),
    "strings": ("Strings", 40),
    "ensemble": ("Ensemble", 48),
    "brass": ("Brass", 56),
    "reed": ("Reed", 64),
    "pipe": ("Pipe", 72),
    "lead": ("Synthesizer lead", 80),
    "pad": ("Synthesizer pad", 88),
    "effects": ("Synthesizer effects", 96),
    "ethnic": ("Ethnic", 104),
    "percussive": ("Percussive", 112),
    "sounds": ("Sound effects", 120),
}
"""General MIDI's, without the piano's: what a track is called that is one, and the program that it is written with."""
NAMES = {
    "voice": ("Voice", 0),
    "right": ("Piano, right hand", 0),
    "left": ("Piano, left hand", 0),
    "piano": ("Piano", 0),
    **FAMILIES,
}
KINDS = tuple(NAMES)
"""In the order in which cells stand in a bar: a voice before what accompanies it, the upper staff before the lower."""
_PIANO = 8
_VOICES = (52, 53, 54)
"""Programs of choirs."""
_VOICE = re.compile(
    r"voice|vocal|vox\b|voce|voix|chant|canto|gesang|singstimme|stimme|soprano?\b|sopran|\balto?\b|contralto|tenor|"
    r"barit|mezzo|\bbass\b|melod|bridge|choir|chorus|chor\b",
    re.IGNORECASE,
)
_RIGHT = re.compile(r"\bupper\b|\bright\b|\br\.?h\b|treble|rechte|droite", re.IGNORECASE)
_LEFT = re.compile(r"\blower\b|\bleft\b|\bl\.?h\b|linke|gauche", re.IGNORECASE)
_OURS = re.compile(r"Piano( \d+)?")


def kinds_of(tracks: Sequence[tuple[str, int]]) -> list[str]:
    """The kind of each track, by its name and General MIDI program (no drums among them).

    A voice is known by name, as many files give it the piano's program; hands too. Of two piano tracks that say
    nothing of hands the first is the right one's, as it is printed above the other.
    """
    kinds = [_kind(name, program) for name, program in tracks]
    unnamed = [place for place, kind in enumerate(kinds) if not kind]
    hands = len(unnamed) == 2 and not {"right", "left", "piano"} & {*kinds}
    for place, hand in zip(unnamed, ("right", "left") if hands else ("piano",) * len(unnamed), strict=True):
        kinds[place] = hand
    return kinds


def tokens_of(tracks: Sequence[tuple[str, int]], same: int) -> list[str]:
    """The token of each track: its kind, numbered from the second of a kind on; after `same` of them, the last again.

    A hand that is alone is a piano.
    """
    seen: dict[str, int] = {}
    tokens = []
    for kind in kinds_of(tracks):
        seen[kind] = number = min(seen.get(kind, 0) + 1, same)
        tokens.append(kind if number == 1 else f"{kind}{number}")
    return ["piano"] * len(tokens) if {*tokens} in ({"right"}, {"left"}) else tokens


def name_of(token: str, *, alone: bool) -> tuple[str, int]:
    """What the track of a token is called, and its program, so that `tokens_of` finds it again."""
    kind = token.rstrip("0123456789")
    name, program = NAMES[kind]
    number = token[len(kind) :]
    if kind == "piano" and not alone:
        # Two tracks of this name would be two hands.
        number = number or "1"
    return f"{name} {number}".strip(), program


def _kind(name: str, program: int) -> str:
    """The kind, or "" for a piano's track that says nothing of hands."""
    if program >= _PIANO:
        families = [*FAMILIES]
        return "voice" if program in _VOICES else families[program // 8 - 1]
    if _RIGHT.search(name):
        return "right"
    if _LEFT.search(name):
        return "left"
    if _VOICE.search(name):
        return "voice"
    return "piano" if _OURS.fullmatch(name) and name[-1].isdecimal() else ""
