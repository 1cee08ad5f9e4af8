"""A source as pianists hear it: every note as long as the sustain pedal holds it."""

from __future__ import annotations

from diffmidi_core.contracts.source import Piece
from diffmidi_core.data.wrapped import Wrapped
from diffmidi_core.music.notes import Score
from diffmidi_core.music.pedal import sustained
from diffmidi_core.music.repairs import Counts


class Sustained(Wrapped):
    """The pieces of another source, read through `sustained`."""

    def read_counted(self, piece: Piece) -> tuple[Score, Counts]:
        """The piece with its notes lengthened; `sustained` counts these."""
        score, counts = self._source.read_counted(piece)
        heard = sustained(score)
        longer = sum(
            int((new.notes.numpy()["duration"] > old.notes.numpy()["duration"]).sum())
            for new, old in zip(heard.tracks, score.tracks, strict=True)
            if heard is not score
        )
        return heard, {**counts, "sustained": longer}
