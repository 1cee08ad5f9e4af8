"""Judged: what `evaluate` wrote of a checkpoint or of a draw, read back. Light: no torch is needed to read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import read_json
from diffmidi_core.numbers import counted
from diffmidi_core.own import spec_of
from diffmidi_core.saved.draw import DrawFolder

FIGURES = "figures"
"""The folder in a run's that holds the figures of its checkpoints."""
_FILE = re.compile(r"step-(\d+)(?:\.(.+))?\.json")


MUSIC = {"test": "test music", "heldout": "held-out music", "all": "other music"}
"""What the share of the music is called that figures are measured on, by `split`."""


class StoredFigure(BaseModel):
    """A Figure (contracts/metric.py) as JSON holds it, with what people need to read it.

    Attributes:
        title: what people call figures of its metric.
        better: which of them are the better ones, "lower" or "higher"; "" where neither are.
        music: what it was measured on, or what its reference is of ("test music"); "" where there is none.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    value: float
    unit: str
    count: int
    of: str
    error: float | None = None
    note: str = ""
    interval: tuple[float, float] | None = None
    reference: float | None = None
    reference_interval: tuple[float, float] | None = None
    skipped: int = 0
    title: str = ""
    better: str = ""
    music: str = ""

    @property
    def measured_on(self) -> str:
        """The things it was measured on, with the others of them that could not be: "64 windows of test music"."""
        count = self.count + self.skipped
        things = counted(count, self.of.removesuffix("s"))
        return f"{things} of {self.music}" if self.of.endswith("windows") and self.music else things


class Figures(dict[str, StoredFigure | None]):
    """Figures by their full names; that of a metric of the caller's own by its class, too."""

    def __missing__(self, key: object) -> StoredFigure | None:
        if isinstance(key, type) and (name := spec_of(key)) in self:
            return self[name]
        raise KeyError(key)


class Judged(BaseModel):
    """Figures of one checkpoint or of one draw, never of two.

    Attributes:
        other: the music that it was judged on, where that is not the run's own.
        checkpoint: the iteration of the weights.
        weights: what names them.
        split: "test", "heldout" where no piece was kept for the test, "all" of other music; None: beside no music.
        windows: of that music.
        figures: by full name ("bits_by_type/pitch"); None where there was nothing to measure.
        pieces: what each piece of a draw has by metric, by the stem of its files ("001").
        drawn: the name of the draw, where figures of a checkpoint on other music have some of a draw among them.
        versions: of what measured, by package.
    """

    model_config = ConfigDict(frozen=True)

    other: str = ""
    checkpoint: int
    weights: str
    split: str | None = None
    windows: int = 0
    figures: dict[str, StoredFigure | None]
    pieces: dict[str, dict[str, dict[str, float]]] = {}
    drawn: str = ""
    versions: dict[str, str] = Field({})

    @classmethod
    def files(cls, run: Path) -> list[Path]:
        """The files of all checkpoints that were judged, the newest checkpoint first, on the run's own music first."""
        named = [(path, name) for path in (run / FIGURES).glob("*.json") if (name := _FILE.fullmatch(path.name))]
        return [path for path, _ in sorted(named, key=lambda entry: (-int(entry[1][1]), entry[1][2] or ""))]

    @classmethod
    def of_checkpoint(cls, file: Path) -> Self:
        """Read one of these files. Raises DiffmidiError where it does not hold figures."""
        name = _FILE.fullmatch(file.name)
        stored = _read(file)
        drawn = stored.get("draw")
        named = {"other": name[2] or "" if name else "", "drawn": drawn.get("name") if isinstance(drawn, dict) else ""}
        return cls._checked({**stored, **named}, file)

    @classmethod
    def of_draw(cls, draw: DrawFolder) -> Self | None:
        """What a draw is worth; None where it was not judged. Raises DiffmidiError where its file is damaged."""
        if not draw.figures_file.exists():
            return None
        model = draw.request().model
        named = {"checkpoint": model.step, "weights": model.fingerprint}
        return cls._checked({**_read(draw.figures_file), **named}, draw.figures_file)

    @classmethod
    def _checked(cls, stored: Mapping[str, Any], file: Path) -> Self:
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            where = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))
            raise DiffmidiError(f"{file} holds no figures ({where}): run `diffmidi evaluate` again.") from None

    @property
    def music(self) -> str:
        """What its figures are on, or beside: "test music", or the name of other music."""
        return self.other or MUSIC.get(self.split or "", MUSIC["all"])

    @property
    def known(self) -> dict[str, StoredFigure]:
        """The figures that there are."""
        return {name: figure for name, figure in self.figures.items() if figure is not None}


def _read(file: Path) -> dict[str, Any]:
    stored = read_json(file)
    if not isinstance(stored, dict):
        raise DiffmidiError(f"{file} does not hold one JSON object: it was not written by diffmidi.")
    return stored
