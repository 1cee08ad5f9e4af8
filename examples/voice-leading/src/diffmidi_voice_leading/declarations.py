"""What this package offers. Light: each class is imported when it is built, and numpy with it, not here."""

from __future__ import annotations

from typing import Literal

from diffmidi.api import ControlDeclaration, Field, MetricDeclaration, Options

Rule = Literal["parallel_fifths", "parallel_octaves", "hidden", "crossing", "spacing", "range", "leaps"]


class VoiceLeadingOptions(Options):
    """What can be set for the control `voice_leading`."""

    rules: tuple[Rule, ...] = Field(
        ("parallel_fifths", "parallel_octaves", "hidden", "crossing", "spacing", "range", "leaps"),
        description="the rules that count, each fault alike",
    )
    four: float = Field(1.0, ge=0, le=100, description="what moments cost in which there are not four voices")


voice_leading = ControlDeclaration(
    summary="four-part voice leading by the book (as near as candidates come)",
    implementation="diffmidi_voice_leading.control:VoiceLeading",
    options=VoiceLeadingOptions,
    decides=("pitch", "time", "duration"),
)
# Where a piece ends only the whole piece tells, so that this rule is a control of its own.
leading_tone = ControlDeclaration(
    summary="a leading tone at the end goes up to the tonic (as near as candidates come)",
    implementation="diffmidi_voice_leading.control:LeadingTone",
    decides=("pitch", "time", "duration"),
    whole=True,
)
faults = MetricDeclaration(
    summary="faults of four-part voice leading, by rule and chord change",
    title="voice leading",
    implementation="diffmidi_voice_leading.metric:VoiceLeading",
)
