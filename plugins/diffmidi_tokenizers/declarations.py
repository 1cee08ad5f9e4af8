"""What the built-in tokenizers offer. Light: nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import field_validator, model_validator

from diffmidi.api import Declaration, Field, Options, TokenizerDeclaration, UserPath


class NoteTokensOptions(Options):
    """Options of `mmm`."""

    layout: Literal["cells", "aligned", "run", "paper"] = Field(
        "cells",
        description="cells: bars and tracks, each cell with its metre, tempo, track and count of notes before the "
        "notes; aligned: `t p v d` for every note; run: notes that start together share their `t`, long rests chain; "
        "paper: `p v d` only, without time",
    )
    grid: int | str = Field(
        12,
        description="steps in a quarter note, 1 to 96; or a step in milliseconds, 1ms to 100ms: 10ms keeps the time of "
        "recorded performances through every change of tempo",
    )
    velocities: int = Field(16, ge=1, le=127, description="velocity bins")
    max_duration: int = Field(
        8,
        ge=1,
        le=64,
        description="longest note, in quarter notes, or in seconds on a grid of milliseconds; longer ones are clamped",
    )
    max_shift: int = Field(
        8,
        ge=1,
        le=64,
        description="largest time shift of one `t` word, in quarter notes, or in seconds on a grid of milliseconds; "
        "longer rests are clamped",
    )
    out_of_range: Literal["clamp", "drop"] = Field(
        "clamp", description="what happens to pitches outside the piano's 21..108"
    )
    zero_length: Literal["drop", "step"] = Field(
        "drop", description="what happens to notes that end on the tick they start: dropped, or one step long"
    )
    max_count: int = Field(
        64, ge=1, le=256, description="cells: most notes of a track in a bar; what is over it is left out"
    )
    same_tracks: int = Field(
        4, ge=1, le=16, description="cells: tracks of one kind (such as voices) that are kept apart; more join the last"
    )
    frame: int = Field(
        2, ge=1, le=8, description="cells on a grid of milliseconds: seconds in a frame, which stands for a bar"
    )

    @field_validator("grid", mode="before")
    @classmethod
    def _beats_or_milliseconds(cls, value: object) -> int | str:
        said = str(value).strip()
        number, unit = said.removesuffix("ms").rstrip(), "ms" if said.endswith("ms") else ""
        most = 100 if unit else 96
        if isinstance(value, bool) or not (number.isascii() and number.isdecimal() and 1 <= int(number) <= most):
            raise ValueError(
                "a grid is a whole number of steps in a quarter note, 1 to 96, or of milliseconds, 1ms to 100ms, "
                "such as 10ms"
            )
        return f"{int(number)}ms" if unit else int(number)


WINDOWS = {"aligned": 128, "run": 128, "paper": 126, "cells": 1024}
"""Tokens in a window by layout: whole groups; of cells, eight bars of most music."""


mmm = TokenizerDeclaration(
    summary="the notes as text, `t p v d` (time, pitch, velocity, duration); not the published MMM: that is miditok's",
    implementation="diffmidi_tokenizers.mmm:Mmm",
    options=NoteTokensOptions,
    tiny={"layout": "aligned", "grid": 4, "velocities": 4, "max_duration": 4, "max_shift": 4},
    window=lambda options: WINDOWS[options.layout],
    without_plan=lambda options: "tokenizer.layout=aligned" if options.layout == "cells" else "",
)


class RemiOptions(Options):
    """Options of `remi`: those of MidiTok's TokenizerConfig that matter for one piano, under its names."""

    beat_res: dict[str, Annotated[int, Field(ge=1, le=96)]] = Field(
        {"0_4": 8, "4_12": 4},
        description="positions in a beat, and how fine note lengths are in the beats from_to; the first is the finest",
    )
    num_velocities: int = Field(32, ge=1, le=127, description="velocity bins")
    lowest_pitch: int = Field(21, ge=0, le=127, description="lowest pitch; lower notes are dropped")
    highest_pitch: int = Field(108, ge=0, le=127, description="highest pitch; higher notes are dropped")
    use_velocities: bool = Field(
        True, description="a `Velocity` word in every note; without, all decode as loud as 100"
    )
    use_time_signatures: bool = Field(
        True, description="`TimeSig` words say the metre of each bar; without, every piece is written in 4/4"
    )
    use_chords: bool = Field(False, description="`Chord` words before the notes of a chord that has a name")
    use_rests: bool = Field(False, description="`Rest` words where nothing sounds")

    @field_validator("beat_res")
    @classmethod
    def _ranges_follow_one_another(cls, value: dict[str, int]) -> dict[str, int]:
        reached, finest = 0, next(iter(value.values()), 0)
        for name, each in value.items():
            begin, _, end = name.partition("_")
            if not (begin.isdecimal() and end.isdecimal() and int(begin) == reached < int(end) <= 64):
                raise ValueError('ranges of beats follow one another from 0 to 64 at most, as in {"0_4": 8, "4_12": 4}')
            if finest % each:
                raise ValueError(f"each resolution divides the first, {finest}")
            reached = int(end)
        if not value:
            raise ValueError('at least one range of beats is needed, as in {"0_4": 8}')
        return value

    @model_validator(mode="after")
    def _some_pitch(self) -> Self:
        if self.lowest_pitch > self.highest_pitch:
            raise ValueError(f"lowest_pitch ({self.lowest_pitch}) is above highest_pitch ({self.highest_pitch})")
        return self


_SEVERAL_IDS = ("CPWord", "MuMIDI", "Octuple")
_ONLY = {
    "base_tokenizer": "MMM",
    "ticks_per_quarter": "PerTok",
    "use_microtiming": "PerTok",
    "max_microtiming_shift": "PerTok",
    "num_microtiming_bins": "PerTok",
    "use_position_toks": "PerTok",
}
_NEVER = {"PerTok": ("use_chords", "use_rests"), "BEAT": ("use_chords", "use_rests")}


class MiditokOptions(RemiOptions):
    """Options of `miditok`."""

    type: Literal["REMI", "TSD", "MIDILike", "Structured", "MMM", "PerTok", "BEAT"] = Field(
        "TSD", description="MidiTok's tokenizer"
    )
    base_tokenizer: Literal["REMI", "TSD", "MIDILike"] = Field(
        "REMI", description="MMM only: the tokenizer of its tracks"
    )
    ticks_per_quarter: int = Field(
        480, ge=1, le=9600, description="PerTok only: ticks in a quarter note, a multiple of beat_res's first"
    )
    use_microtiming: bool = Field(
        True, description="PerTok only: a `MicroTiming` word in every note, how far it is from its position"
    )
    max_microtiming_shift: float = Field(
        0.0625, gt=0, le=1, description="PerTok only: the largest of them, in quarter notes"
    )
    num_microtiming_bins: int = Field(
        30, ge=2, le=1000, description="PerTok only: steps from the largest shift earlier to the largest later, even"
    )
    use_position_toks: bool = Field(
        False, description="PerTok only: `Position` in the bar in place of `TimeShift` since the note before"
    )
    pretrained: UserPath | None = Field(
        None, description="a tokenizer.json that MidiTok's `save` wrote, BPE and all; it decides every other option"
    )

    @property
    def metres(self) -> bool:
        """Whether bars may have a metre."""
        return self.type in ("REMI", "BEAT") or (self.type == "MMM" and self.base_tokenizer == "REMI")

    @property
    def additional(self) -> dict[str, Any]:
        """What MidiTok's TokenizerConfig calls additional_params."""
        return {name: getattr(self, name) for name, kind in _ONLY.items() if kind == self.type}

    @classmethod
    def types(cls) -> tuple[str, ...]:
        """The tokenizers there are."""
        return get_args(cls.model_fields["type"].annotation)

    @field_validator("type", mode="before")
    @classmethod
    def _one_id_per_token(cls, value: object) -> object:
        if value in _SEVERAL_IDS:
            raise ValueError(
                f"{value} writes several ids for each token, and a window here is one row of ids; "
                f"choose {', '.join(cls.types())}"
            )
        return value

    @model_validator(mode="after")
    def _pretrained_decides(self) -> Self:
        given = sorted(self.model_fields_set - {"pretrained"})
        changed = [name for name in given if getattr(self, name) != type(self).model_fields[name].default]
        if self.pretrained and changed:
            raise ValueError(f"pretrained decides every other option: leave out {', '.join(changed)}")
        for name in changed:
            if _ONLY.get(name, self.type) != self.type:
                raise ValueError(f"{name} is an option of {_ONLY[name]}, not of {self.type}: leave it out")
            if name in _NEVER.get(self.type, ()):
                raise ValueError(f"{self.type} has no {name.removeprefix('use_')}: leave out {name}")
        if self.type == "BEAT" and "beat_res" in changed and next(iter(self.beat_res.values())) != 4:
            raise ValueError("BEAT has four steps to a beat: leave out beat_res")
        if self.type == "PerTok" and not self.pretrained and (fault := pertok_fault(self.beat_res, self.additional)):
            raise ValueError(fault)
        return self


def pertok_fault(beat_res: Mapping[str, int], additional: Mapping[str, Any]) -> str:
    """Why PerTok with these options would not give back what it was given, or nothing."""
    reach, positions = int(next(iter(beat_res)).partition("_")[2]), next(iter(beat_res.values()))
    if reach < 4 or additional["ticks_per_quarter"] % positions:
        return (
            "PerTok's bars are four quarters of ticks_per_quarter: the first range of beat_res reaches 4 or farther "
            f'and divides {additional["ticks_per_quarter"]}, as in {{"0_4": 8, "4_12": 4}}'
        )
    if additional.get("use_microtiming") and additional["num_microtiming_bins"] % 2:
        return "num_microtiming_bins is even, so that one of PerTok's MicroTiming words says no shift"
    return ""


remi = Declaration(
    summary="REMI of MidiTok: bars, positions in them, and a pitch, velocity and duration for each note",
    implementation="diffmidi_tokenizers.door:Remi",
    options=RemiOptions,
    tiny={"beat_res": {"0_4": 4}, "num_velocities": 4},
)

miditok = Declaration(
    summary="any MidiTok tokenizer of one id per token: REMI, TSD, MIDILike, Structured, MMM, PerTok, BEAT, or a saved "
    "one with BPE",
    implementation="diffmidi_tokenizers.door:Miditok",
    options=MiditokOptions,
    tiny={"beat_res": {"0_4": 4}, "num_velocities": 4},
)
