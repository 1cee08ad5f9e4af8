"""Classifiers of noised music: which model one was trained for, and which ones a request names. Light."""

from __future__ import annotations

from pydantic import Field

from diffmidi_core.data.known_labels import KnownLabel
from diffmidi_core.sections import Section


class ClassifierOf(Section):
    """What a run is a classifier of.

    Attributes:
        label: the label that it tells.
        model: the run of the model whose noised music it reads.
        step: the iteration of that model's weights.
        weights: what names them (`Manifest.weights`).
    """

    label: str
    model: str
    step: int = Field(ge=0)
    weights: str


class AskedClassifier(Section):
    """A classifier that a draw follows.

    Attributes:
        path: its run.
        step: the iteration of its weights.
        weights: what names them.
        label: what it tells, as it can be asked for.
    """

    path: str
    step: int = Field(ge=0)
    weights: str
    label: KnownLabel
