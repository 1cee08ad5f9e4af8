"""Typical: at which tempo and in which metre a model's new pieces are played: those of its training music. Light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffmidi_core.music.timeline import Timeline


@dataclass(frozen=True)
class Typical:
    """What tokens do not hold of a piece that is made from nothing.

    Attributes:
        tempo: the median over the training pieces, in quarter notes a minute; None where none of them names one.
        metre: the commonest of them; None where none of them names one.
        tracks: the track tokens of a bar that most of them have, where tokens are laid out in bars.
    """

    tempo: float | None = None
    metre: tuple[int, int] | None = None
    tracks: tuple[str, ...] = ()

    def timeline(self) -> Timeline:
        """For `Tokenizer.decode`, which decides itself what is None here."""
        from diffmidi_core.music.timeline import Timeline

        return Timeline.new(self.tempo, self.metre)
