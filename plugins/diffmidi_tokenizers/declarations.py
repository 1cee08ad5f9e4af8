"""What the built-in tokenizers offer. Light: nothing heavy is imported here."""

from __future__ import annotations

from typing import Literal

from diffmidi_core.api import Declaration, Field, Options


class MmmOptions(Options):
    """Options of `mmm`."""

    layout: Literal["aligned", "run", "paper"] = Field(
        "aligned",
        description="aligned: `t p v d` for every note; run: notes that start together share their `t`, long rests "
        "chain; paper: `p v d` only, without time",
    )
    grid: int = Field(12, ge=1, le=96, description="steps in a quarter note")
    velocities: int = Field(16, ge=1, le=127, description="velocity bins")
    max_duration: int = Field(8, ge=1, le=64, description="longest note, in quarter notes; longer ones are clamped")
    max_shift: int = Field(
        8, ge=1, le=64, description="largest time shift of one `t` word, in quarter notes; longer rests are clamped"
    )
    out_of_range: Literal["clamp", "drop"] = Field(
        "clamp", description="what happens to pitches outside the piano's 21..108"
    )
    zero_length: Literal["drop", "step"] = Field(
        "drop", description="what happens to notes that end on the tick they start: dropped, or one step long"
    )


mmm = Declaration(
    summary="the notes as text, `t p v d`: steps since the last onset, pitch, velocity, duration",
    implementation="diffmidi_tokenizers.mmm:Mmm",
    options=MmmOptions,
    tiny={"grid": 4, "velocities": 4, "max_duration": 4, "max_shift": 4},
)
