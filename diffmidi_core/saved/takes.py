"""What a draw from a user's own file records beside its pieces: what was asked of the file, and ranks of takes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from diffmidi_core.numbers import figure_text


class Asking(BaseModel):
    """What was asked of a user's own file, so that it can be asked again.

    Attributes:
        regions: as `--region` takes them; None: all of it.
        inverted: whether all but they is meant.
        locks, strength: as in `steer.rework.Masking`.
        upbeat: in whole notes, as a fraction; None: the metres tell.
        behind: how many bars behind the last one are written; None: what is drawn lies in regions.
    """

    model_config = ConfigDict(frozen=True)

    regions: tuple[str, ...] | None = None
    inverted: bool = False
    locks: tuple[str, ...] = ()
    strength: float = 1.0
    upbeat: str | None = None
    behind: int | None = None


class Rank(BaseModel):
    """Why a take stands where it does: by what takes are ranked, its figure (None: it has none), and its number as it
    was drawn.
    """

    model_config = ConfigDict(frozen=True)

    by: str
    value: float | None
    unit: str
    drawn: int

    def told(self) -> str:
        """As text: "5.21 bits per new note (take 3 as drawn)"."""
        value = "no figure" if self.value is None else f"{figure_text(self.value)} {self.unit}".rstrip()
        return f"{value} (take {self.drawn} as drawn)"
