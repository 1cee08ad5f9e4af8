"""Steering: what a pipeline does with a file of the user's own: infill, vary, continue."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffmidi_core.music.notes import Score
from diffmidi_core.request import Chosen, Request

if TYPE_CHECKING:
    from diffmidi_core.draw.pieces import OnStep
    from diffmidi_core.pieces import Pieces
    from diffmidi_core.steer.asked import Asked
    from diffmidi_core.steer.infill import Take
    from diffmidi_core.steer.user_file import UserFile


class Steering(ABC):
    """The methods of `Pipeline` that draw into music that is there."""

    @abstractmethod
    def request(self, *args: Any, **settings: Any) -> Request:
        """What is asked of the model; see `Pipeline.request`."""

    @abstractmethod
    def takes(self, asked: Asked, request: Request, on_step: OnStep | None = None) -> Pieces[Take]:
        """The answers to what is asked of a file."""

    def infill(
        self,
        music: Score | str | Path,
        *,
        bars: str | None = None,
        seconds: str | None = None,
        pitch: str | None = None,
        track: str | None = None,
        hand: str | None = None,
        region: Sequence[str] = (),
        inverted: bool = False,
        lock: Sequence[str] = (),
        notes: int | None = None,
        upbeat: Fraction | None = None,
        candidates: int = 1,
        seed: int = 0,
        steps: int | None = None,
        sampler: str | None = None,
        options: Mapping[str, Any] | None = None,
        controls: Chosen = (),
        on_step: OnStep | None = None,
    ) -> Pieces[Take]:
        """A piece with some of its notes drawn anew, as `diffmidi infill` does it; all else stays, event by event.

        Args:
            music: a MIDI file, or a score, of which only what a score holds can be kept.
            bars, seconds, pitch, track, hand: text such as "5-8" and "C4-C6"; they hold together, as one region.
            region: more regions, such as "bars 5-8, pitch C4-C6".
            inverted: draw everything but that.
            lock: what stays of the notes there, which are then as many as they were: "rhythm", "pitches", "velocity";
                or "range", in which new pitches stay.
            notes: how many new ones there are to be; None: as many as the model says, or as stood there.
            upbeat: how long the upbeat is that the piece begins with, in whole notes; None: its metres tell.
            candidates: how many takes: `take.save("new.mid")` writes one, `take.score` is it.
            seed, steps, sampler, options, controls, on_step: as in `sample`.

        Raises UsageError for what the piece does not have, DiffmidiError where the file cannot be read, or the model
        cannot hold it.
        """
        from diffmidi_core.steer.asked import Asked
        from diffmidi_core.steer.regions import regions

        conditions = {"bars": bars, "seconds": seconds, "pitch": pitch, "track": track, "hand": hand}
        wanted = regions(region, inverted=inverted, **conditions)
        asked = Asked.region(_file(music), wanted, upbeat, locks=lock, notes=notes)
        return self._drawn(
            asked, on_step, candidates, seed=seed, steps=steps, sampler=sampler, options=options, controls=controls
        )

    def vary(
        self,
        music: Score | str | Path,
        strength: float = 0.4,
        *,
        region: Sequence[str] = (),
        lock: Sequence[str] = (),
        candidates: int = 1,
        seed: int = 0,
        steps: int | None = None,
        sampler: str | None = None,
        options: Mapping[str, Any] | None = None,
        controls: Chosen = (),
        on_step: OnStep | None = None,
    ) -> Pieces[Take]:
        """A piece, or regions of it, with that share of what its notes are masked and drawn back; see `infill`.

        Raises UsageError for a model that is not masked.
        """
        from diffmidi_core.steer.asked import Asked
        from diffmidi_core.steer.regions import regions

        wanted = regions(region) if region else None
        asked = Asked.region(_file(music), wanted, locks=lock, strength=strength)
        return self._drawn(
            asked, on_step, candidates, seed=seed, steps=steps, sampler=sampler, options=options, controls=controls
        )

    def continue_(
        self,
        music: Score | str | Path,
        bars: int = 8,
        *,
        notes: int | None = None,
        upbeat: Fraction | None = None,
        candidates: int = 1,
        seed: int = 0,
        steps: int | None = None,
        sampler: str | None = None,
        options: Mapping[str, Any] | None = None,
        controls: Chosen = (),
        on_step: OnStep | None = None,
    ) -> Pieces[Take]:
        """A piece with so many bars more, in its last metre and tempo, as `diffmidi continue` does it; see `infill`."""
        from diffmidi_core.steer.asked import Asked

        asked = Asked.behind(_file(music), bars, upbeat, notes=notes)
        return self._drawn(
            asked, on_step, candidates, seed=seed, steps=steps, sampler=sampler, options=options, controls=controls
        )

    def _drawn(self, asked: Asked, on_step: OnStep | None, candidates: int, **settings: Any) -> Pieces[Take]:
        """The answers of the model to a request with these settings."""
        return self.takes(asked, self.request(candidates, **settings), on_step)


def _file(music: Score | str | Path) -> UserFile:
    from diffmidi_core.steer.user_file import UserFile

    if isinstance(music, Score):
        return UserFile(music.dumps_midi(), "the score")
    return UserFile.read(Path(music).expanduser())
