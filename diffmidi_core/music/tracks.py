"""Which tracks of a score are taken for the piano's, by their General MIDI programs and by their names. Light."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Self

from diffmidi_core.errors import RefusedError
from diffmidi_core.music.repairs import Counts

if TYPE_CHECKING:
    from symusic.core import TrackTick

    from diffmidi_core.music.notes import Score

PIANO, ALL = "piano", "all"
PIANOS = range(8)
"""The programs of the piano family; a track that names no program has the first of them."""
_NAMED = re.compile(r"piano|klavier|clavier|klaver", re.IGNORECASE)
_PROGRAMS = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class TrackChoice:
    """What `--tracks` chooses.

    Attributes:
        programs: whose tracks are taken.
        patterns: what their names match, in lower case, where they are taken by that.
        pianos: whether those whose name says piano are.
    """

    programs: frozenset[int]
    patterns: tuple[str, ...] = ()
    pianos: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a list with commas: piano, all, programs (0 to 127) such as 24 or 24-31, and names (* is any text).

        Raises ValueError, as text that follows a colon, where it says something else.
        """
        programs: set[int] = set()
        patterns: list[str] = []
        items = [item.strip() for item in text.split(",")]
        for item in items:
            programs_named = _PROGRAMS.fullmatch(item)
            if item == ALL:
                programs.update(range(128))
            elif item == PIANO:
                programs.update(PIANOS)
            elif programs_named and int(programs_named[1]) <= int(programs_named[2] or programs_named[1]) <= 127:
                programs.update(range(int(programs_named[1]), int(programs_named[2] or programs_named[1]) + 1))
            elif item and not programs_named:
                patterns.append(item.lower())
            else:
                raise ValueError(
                    "tracks are piano, all, General MIDI programs from 0 to 127 such as 24 or 24-31, or names such as "
                    "'*guitar*', with commas between them"
                )
        return cls(frozenset(programs), tuple(patterns), PIANO in items)

    def takes(self, track: TrackTick) -> bool:
        """Whether a track is one of them."""
        name = track.name.strip().lower()
        if track.program in self.programs or (self.pianos and _NAMED.search(name)):
            return True
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)

    def of(self, score: Score, name: str) -> tuple[Score, Counts]:
        """The score without the tracks of others; and `other_notes`, how many notes these have, `with_others`: 1.

        Drums stay, as tokenizers count them. Raises RefusedError where no track is left; `name` is the piece's.
        """
        others = self.left_out(score)
        if not others:
            return score, {}
        left = score.copy()
        for number, _ in reversed(others):
            del left.tracks[number]
        if not any(len(track.notes) and not track.is_drum for track in left.tracks):
            raise RefusedError(
                "no_piano",
                f"{name} has no track that is asked for, only {listed(others)}: choose with --tracks which are the "
                "piano's; `--tracks all` takes every one.",
            )
        return left, {"other_notes": sum(len(track.notes) for _, track in others), "with_others": 1}

    def left_out(self, score: Score) -> list[tuple[int, TrackTick]]:
        """The tracks with notes that are neither taken nor drums', with their numbers."""
        return [
            (number, track)
            for number, track in enumerate(score.tracks)
            if len(track.notes) and not track.is_drum and not self.takes(track)
        ]


def listed(tracks: list[tuple[int, TrackTick]]) -> str:
    """The first few tracks as text."""
    shown = [f"{_quoted(track)}program {track.program} ({len(track.notes):,} notes)" for _, track in tracks[:3]]
    return ", ".join(shown) + (f" and {len(tracks) - 3} more" if len(tracks) > 3 else "")


def _quoted(track: TrackTick) -> str:
    name = "".join(letter for letter in track.name.strip() if letter.isprintable())
    return f"'{name[:40]}' of " if name else ""
