"""What this package offers. Light: no torch, numpy or symusic here; each class is imported when it is built."""

from __future__ import annotations

from diffmidi.api import ControlDeclaration, Declaration, Field, MetricDeclaration, Options


class SigmoidOptions(Options):
    """What can be set for `sigmoid`."""

    steepness: float = Field(6.0, gt=0, le=30, description="how sharply noise takes over in the middle")


sigmoid = Declaration(
    summary="a logistic curve: slow at both ends, as steep in the middle as you like",
    implementation="diffmidi_plugin_template.sigmoid:Sigmoid",
    options=SigmoidOptions,
)

leap = MetricDeclaration(
    summary="how far notes leap: the mean distance in pitch from one note to the next, in semitones",
    title="leap to the next note",
    implementation="diffmidi_plugin_template.leap:Leap",
)


class SmallLeapsOptions(Options):
    """What can be set for `small_leaps`."""

    most: int = Field(12, ge=0, le=127, description="the largest leap that is none too large, in semitones")


small_leaps = ControlDeclaration(
    summary="no large leaps from one note to the next (as near as candidates come)",
    implementation="diffmidi_plugin_template.small_leaps:SmallLeaps",
    options=SmallLeapsOptions,
    decides=("pitch", "time"),
)


class CsvOptions(Options):
    """What can be set for `csv`."""

    name: str = Field("scalars.csv", min_length=1, description="name of the file in the run's folder")


csv = Declaration(
    summary="training figures as a CSV file in the run's folder",
    implementation="diffmidi_plugin_template.csv_log:CsvLog",
    options=CsvOptions,
)
