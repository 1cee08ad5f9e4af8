"""The built-in samplers."""

from diffmidi_core.api import Declaration, Field, Options


class DdpmOptions(Options):
    """What can be set for `ddpm`."""

    clamp: bool = Field(False, description="the clamping trick: round every estimate of x0 to the embedding of a word")


class DdimOptions(DdpmOptions):
    """What can be set for `ddim`."""

    eta: float = Field(0.0, ge=0, le=1, description="share of fresh noise: 0 none, 1 as much as ddpm")


ddpm = Declaration(
    summary="ancestral sampling: fresh noise at every step",
    implementation="diffmidi_samplers.gaussian:Ddpm",
    options=DdpmOptions,
    family="gaussian",
)

ddim = Declaration(
    summary="deterministic (or less noisy) steps, good when there are few",
    implementation="diffmidi_samplers.gaussian:Ddim",
    options=DdimOptions,
    family="gaussian",
)
