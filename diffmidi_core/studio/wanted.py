"""Wanted: what the page asks for, checked, and as the command that would do the same. Light: no torch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from diffmidi_core.errors import UsageError
from diffmidi_core.sections import LARGEST_SEED
from diffmidi_core.steer.asked import Asked, ranges
from diffmidi_core.steer.regions import regions
from diffmidi_core.steer.user_file import UserFile

FROM_NOTHING = "sample"
"""The command whose pieces are of no file."""
MOST_TAKES = 64
MOST_BARS = 1000
"""Bars that one request draws."""
Text = Annotated[str, StringConstraints(max_length=300)]


class Wanted(BaseModel):
    """One request.

    Attributes:
        piece: which piece it is of; None where music is drawn from nothing.
        region: texts of the region language, as `--region` takes them.
        inverted: all but that; the page calls it `except`.
        bars: how many more, or how many in all.
        strength: of `vary`: which share of it is drawn anew.
        want, guidance: labels that are asked for, and how closely; None: as closely as the command does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    piece: Text | None = None
    command: Literal["infill", "vary", "continue", "sample"]
    region: list[Text] = Field([], max_length=100)
    inverted: bool = Field(False, alias="except")
    locks: list[Text] = Field([], max_length=10)
    want: dict[Text, Text] = Field({}, max_length=50)
    guidance: float | None = Field(None, ge=0, le=100)
    strength: float = Field(0.4, gt=0, le=1)
    bars: int = Field(8, ge=1, le=MOST_BARS)
    candidates: int = Field(1, ge=1, le=MOST_TAKES)
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    steps: int | None = Field(None, ge=1, le=100_000)

    @classmethod
    def of(cls, given: Any) -> Self:
        """From what the page sent. Raises UsageError in one sentence."""
        try:
            wanted = cls.model_validate(given)
        except ValidationError as error:
            mistake = error.errors(include_url=False)[0]
            where = ".".join(map(str, mistake["loc"])) or "the request"
            raise UsageError(f"{where[:80]}: {mistake['msg'].lower()}.") from None
        if (wanted.command == FROM_NOTHING) != (wanted.piece is None):
            raise UsageError(
                f"{wanted.command} needs a piece: open or draw one first."
                if wanted.piece is None
                else f"{FROM_NOTHING} draws from nothing: name no piece, or infill, vary or continue it."
            )
        return wanted

    def asked(self, file: UserFile) -> Asked:
        """What of a file is to be new. Raises UsageError, with the sentence of the command."""
        if self.command == "continue":
            return Asked.behind(file, self.bars)
        if self.command == "vary":
            named = regions(self.region, inverted=self.inverted) if self.region or self.inverted else None
            return Asked.region(file, named, locks=self.locks, strength=self.strength)
        return Asked.region(file, regions(self.region, inverted=self.inverted), locks=self.locks)

    def command_line(self, model: str, path: Path | None) -> str:
        """What to type to have the same."""
        words = ["diffmidi", self.command, model if path is None else str(path)]
        if path is None:
            words += ["--bars", str(self.bars), "--samples", str(self.candidates)]
        else:
            words += ["--model", model]
            if self.command == "continue":
                words += ["--bars", str(self.bars)]
            else:
                words += [word for text in self.region for word in ("--region", text)]
                words += ["--except"] if self.inverted else []
                words += [word for lock in self.locks for word in ("--lock", lock)]
            words += ["--strength", f"{self.strength:g}"] if self.command == "vary" else []
            words += ["--candidates", str(self.candidates)]
        words += [word for name, value in self.want.items() for word in ("--want", f"{name}={value}")]
        words += [] if self.guidance is None or not self.want else ["--guidance", f"{self.guidance:g}"]
        words += ["--seed", str(self.seed)]
        words += [] if self.steps is None else ["--steps", str(self.steps)]
        # Computed together, takes are the same but for rounding, which a draw can hang on.
        words += ["-o", "sample.batch_size=1"] if self.candidates > 1 else []
        return shlex.join(words)


def planned(wanted: Wanted, file: UserFile) -> dict[str, Any]:
    """What --dry-run says, before anything is drawn: bars, notes that go, and all of it in words."""
    asked = wanted.asked(file)
    drawn, kept = asked.describe().splitlines()[-2:]
    return {"bars": ranges(asked.touched), "notes": int(asked.removed.sum()), "sentence": f"{drawn}. {kept}."}
