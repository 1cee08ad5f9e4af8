"""Request: what is asked of a model."""

from __future__ import annotations

from diffmidi_core.sections import Part, SampleConfig


class Request(SampleConfig):
    """What is drawn, how, and with which seed."""

    seed: int = 0
    sampler: Part
