"""Sections of a run's config: chosen parts, and the options of each stage. Light: nothing heavy is imported here."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from diffmidi_core.declaration import UserPath
from diffmidi_core.music.tracks import PIANO, TrackChoice

BUILTIN_PACKAGE = "diffmidi"
BARS = 8
"""In a window at most, where tokens are laid out in bars."""


BATCH, LONG = 32, 256
"""Windows in a batch, half as many where a window has more tokens than this."""
LARGEST_SEED = 2**64 - 1
"""What torch's and accelerate's generators take."""


def flagged(flag: str, default: Any, *, shown: bool = True, **field: Any) -> Any:
    """A field that has a flag of its own on the command line, beside `-o section.field=value`.

    Its help shows the default, unless the default is decided by something else (`shown`).
    """
    return Field(default, json_schema_extra={"flag": flag, "shown": shown}, **field)


class Section(BaseModel):
    """Options under a name of their own; others are refused, and so is a number that is not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Part(Section):
    """A chosen part: its name, whose it is, and its options; all of it is filled in once the config is resolved.

    Attributes:
        name: as its package calls it. A user may write "package:name".
        package: that offers it, so that another package's part of that name is never taken for it.
        version: of the package when the config was resolved.
        fingerprint: names its class and its options.
    """

    name: str
    package: str | None = None
    version: str | None = None
    fingerprint: str | None = None
    options: dict[str, Any] = {}

    @property
    def spec(self) -> str:
        """What `find` takes: "package:name" once that is known."""
        return f"{self.package}:{self.name}" if self.package else self.name

    @property
    def label(self) -> str:
        """What people call it: the bare name of a built-in, else "package:name"."""
        return self.name if self.package in (None, BUILTIN_PACKAGE) else self.spec


class PrepareConfig(Section):
    """How music becomes a token dataset."""

    heldout: float = Field(
        0.1, gt=0, lt=1, description="share of the pieces in the held-out split, which training is validated on"
    )
    test: float = Field(
        0.1, ge=0, lt=1, description="share of the pieces in the test split, which the trained model is judged on"
    )
    sustain: bool = Field(
        False,
        description="notes are as long as the sustain pedal holds them (down from 64 on), not as their keys are",
    )
    near_duplicates: Literal["group", "drop", "ignore"] = Field(
        "group", description="versions of one piece: kept on one side of the split, or only the first kept, or ignored"
    )
    group: str | None = Field(
        None,
        description="pieces that stay on one side: those in one folder (folder), or of one value in this column of the "
        "labels",
    )
    labels: UserPath | None = Field(
        None, description="CSV file with a column of labels each, and one that names the piece"
    )
    workers: int = Field(0, ge=0, description="processes that read and encode; 0: one, or more where that is faster")
    tracks: str = flagged(
        "--tracks",
        PIANO,
        description="tracks that are the piano's: piano (by program, or a name that says so), all, programs such as "
        "24-31, or names such as '*hand*', with commas; drums never are",
    )

    @field_validator("tracks")
    @classmethod
    def _tracks(cls, value: str) -> str:
        TrackChoice.parse(value)
        return value

    @model_validator(mode="after")
    def _something_to_train_on(self) -> PrepareConfig:
        if self.heldout + self.test >= 1:
            raise ValueError(f"heldout ({self.heldout:g}) and test ({self.test:g}) together leave nothing to train on")
        return self


MANY_EPOCHS, SEMITONES = 100, 5
"""Where training hears its music so often, an "auto" transposes it by so much (benchmarks/README.md)."""


class AugmentConfig(Section):
    """How training windows are varied, anew each time they are drawn. Held-out music never is.

    Transposition serves runs that hear their music often. One that hears it a few times has not learned its keys yet
    and is better without (benchmarks/README.md).
    """

    transpose: int | Literal["auto"] = Field(
        "auto",
        description="semitones up or down at most, as far as a window's pitches allow; 0: off; "
        f"auto: {SEMITONES} where training hears its music {MANY_EPOCHS} times or more, else 0",
    )
    velocity: float = Field(
        0.0, ge=0, le=1, description="velocities are multiplied or divided by 1 to 1 + this; 0: off"
    )
    tempo: float = Field(
        0.0,
        ge=0,
        le=1,
        description="times are multiplied or divided by 1 to 1 + this, on grids of seconds only; 0: off",
    )
    offset: int = Field(1, ge=1, description="windows begin at every so many-th note of a piece; 1: at any")

    @field_validator("transpose", mode="plain")
    @classmethod
    def _semitones(cls, value: object) -> object:
        if value == "auto" or (type(value) is int and 0 <= value <= 24):
            return value
        raise ValueError("it is auto, or a number of semitones from 0 to 24")


class ConditionConfig(Section):
    """What the model learns to be asked for, by labels of its training windows."""

    labels: str = flagged(
        "--condition",
        "none",
        description="labels that the model can then be asked for (sample --want): window (key, density, register, "
        "polyphony, velocity and tempo, as far as tokens tell them), or names with commas: some of these, or labels of "
        "pieces (folder, columns of prepare.labels)",
    )
    dropped: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of training windows of which no label is told; of the others some are, a random number of",
    )
    kept: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of training windows of which some bars have notes that are kept, beside which the others "
        "are drawn, as infilling a band of pitches does (tokens with a plan)",
    )

    @field_validator("labels")
    @classmethod
    def _names(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",")]
        if not all(names) or len(set(names)) < len(names) or ("none" in names and len(names) > 1):
            raise ValueError("it is none, window, or different names of labels with commas, such as window,composer")
        return ",".join(names)

    @property
    def names(self) -> tuple[str, ...]:
        """The names as given; none of none."""
        return () if self.labels == "none" else tuple(self.labels.split(","))


class TrainConfig(Section):
    """How the process is trained."""

    iterations: int = flagged("--iterations", 300, ge=1, description="optimiser steps")
    minutes: float | None = flagged(
        "--minutes",
        None,
        gt=0,
        allow_inf_nan=False,
        description="train for about so many minutes: as many iterations as fit, at the speed measured first",
    )
    batch_size: int = flagged(
        "--batch-size",
        BATCH,
        shown=False,
        ge=1,
        description=f"windows per forward pass and process; by default {BATCH}, or {BATCH // 2} where they are long",
    )
    accumulate: int = flagged(
        "--accumulate", 1, ge=1, description="forward passes per optimiser step; their gradients are averaged"
    )
    lr: float = flagged("--lr", 2e-3, gt=0, description="peak learning rate of AdamW")
    warmup: int = Field(30, ge=0, description="iterations over which the learning rate rises from 0")
    anneal: bool = Field(True, description="lower the learning rate linearly to 0 at the last iteration")
    decay: int = Field(0, ge=0, description="iterations over which it is lowered, the last ones; 0: all of them")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's decoupled weight decay")
    beta1: float = Field(0.9, ge=0, lt=1, description="AdamW's first-moment decay")
    beta2: float = Field(0.999, ge=0, lt=1, description="AdamW's second-moment decay")
    compile: bool = flagged(
        "--compile/--no-compile",
        False,
        description="compile the backbone with torch.compile: slow to begin, faster after",
    )
    checkpointing: bool = flagged(
        "--checkpointing/--no-checkpointing",
        False,
        description="recompute the backbone's activations in the backward pass: less memory, a third more work",
    )
    deterministic: bool = flagged(
        "--deterministic/--no-deterministic",
        False,
        description="take kernels that give the same numbers each time on one GPU, as those of a CPU do; slower",
    )
    clip: float = Field(1.0, ge=0, description="largest gradient norm; 0 turns clipping off")
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the averaged weights, reached by a ramp; 0: none")
    log_every: int = Field(10, ge=1, description="iterations between log lines")
    evaluate_every: int = Field(100, ge=1, description="iterations between validation passes")
    patience: int = Field(
        0, ge=0, description="validation passes without a lower validation loss before training stops; 0: never"
    )
    draw: int = Field(2, ge=0, description="pieces drawn at each validation pass, to hear how training goes; 0: none")
    save_every: int = Field(500, ge=1, description="iterations between checkpoints; the last is always saved")
    keep: int = Field(3, ge=1, description="checkpoints kept, besides the best; older ones are removed")

    @field_validator("decay")
    @classmethod
    def _decay(cls, value: int, info: ValidationInfo) -> int:
        if value and not info.data.get("anneal", True):
            raise ValueError("without train.anneal the learning rate is not lowered at all")
        if info.data.get("minutes") is None and value > info.data.get("iterations", value):
            raise ValueError(f"it is more than all {info.data['iterations']} iterations (train.iterations)")
        return value


class SampleConfig(Section):
    """How new music is drawn."""

    count: int = flagged("--samples", 8, ge=1, description="how many pieces")
    steps: int = flagged(
        "--steps",
        200,
        shown=False,
        ge=1,
        description="reverse steps for each window; by default as many as suit the sampler",
    )
    batch_size: int = Field(16, ge=1, description="pieces drawn together")
    length: str = Field(
        "windows",
        description="how long pieces are: windows or pieces (as those of the training music), or such as '64 notes', "
        "'8 bars' or '30 seconds'",
    )
    overlap: float = Field(
        0.5,
        ge=0,
        le=0.9,
        description="pieces longer than a window: the share of each window that repeats the end of the one before",
    )

    @field_validator("length")
    @classmethod
    def _a_length(cls, value: str) -> str:
        unit, amount = parse_length(value)
        return f"{amount:.12g} {unit}" if amount else unit


class EvaluateConfig(Section):
    """How the model is judged."""

    windows: int = flagged("--windows", 128, ge=1, description="windows of the test split that are measured")
    levels: int | None = Field(
        4, ge=1, description="noise levels drawn for each window, more with fewer than 128 windows; null: all"
    )
    batch_size: int = Field(16, ge=1, description="windows measured together")
    exact: bool = flagged(
        "--exact/--no-exact",
        False,
        description="measure the exact likelihood too, on a few of the windows: it takes an evaluation a token",
    )
    exact_windows: int = Field(16, ge=1, description="windows that --exact measures")
    order: Literal["time", "types"] = Field(
        "time",
        description="how --exact reveals tokens: 'time', as they stand in the text; 'types', that and by their types, "
        "in an order chosen on training music",
    )


SCORE_LEVELS = 16
"""Noise levels drawn for each window of a piece that is scored by itself, with no other to be averaged with."""

_LENGTH = re.compile(r"(windows|pieces)|(\d+(?:\.\d+)?) *(notes|note|bars|bar|seconds|second)")


def parse_length(text: str) -> tuple[str, float]:
    """What `sample.length` says: ("windows", 0), ("pieces", 0), or notes, bars or seconds and how many.

    Raises ValueError, as text that follows a colon, where it says something else.
    """
    found = _LENGTH.fullmatch(text.strip())
    amount = float(found[2] or 0) if found else 0.0
    unit = (found[1] or found[3].removesuffix("s") + "s") if found else ""
    if not found or (found[2] and (amount <= 0 or (unit != "seconds" and amount != int(amount)))):
        raise ValueError(
            "a length is windows or pieces, as long as those of the training music, or a number of notes, bars or "
            "seconds, such as '64 notes', '8 bars' or '30 seconds'"
        )
    return unit, amount
