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
        notes: how many notes are drawn; None: as many as the model says, or as stood there.
    """

    model_config = ConfigDict(frozen=True)

    regions: tuple[str, ...] | None = None
    inverted: bool = False
    locks: tuple[str, ...] = ()
    strength: float = 1.0
    upbeat: str | None = None
    behind: int | None = None
    notes: int | None = None


class Edit(BaseModel):
    """What of a user's file was to be new, and what was kept of it.

    Attributes:
        command: `infill`, `vary` or `continue`.
        file, sha256: the file, and what names its content.
        region: where new notes may begin, in the language of regions, or how many bars more.
        bars: the numbers of the bars in which they may.
        kept, removed: how many of its notes stay and how many do not; of all else in the file everything stays.
        alone: whether the new notes are written by themselves as well.
        asking: what was asked, to be asked again.
    """

    model_config = ConfigDict(frozen=True)

    command: str
    file: str
    sha256: str
    region: str
    bars: list[int]
    kept: int
    removed: int
    alone: bool = False
    asking: Asking = Asking()


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
