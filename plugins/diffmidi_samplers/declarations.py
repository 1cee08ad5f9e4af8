"""The built-in samplers."""

from typing import Literal

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


class MaskedOptions(Options):
    """What can be set for every sampler of masked processes."""

    temperature: float = Field(
        1.0, gt=0, description="logits are divided by it: below 1, the likelier words more often"
    )
    top_p: float = Field(1.0, gt=0, le=1, description="draw from the likeliest words that have this share together")


class ConfidenceOptions(MaskedOptions):
    """What can be set for `confidence`."""

    order_noise: float = Field(
        1.0, ge=0, description="Gumbel noise on the order, falling to 0 with the words left; 0: the surest words first"
    )


class RemaskOptions(MaskedOptions):
    """What can be set for `remask`."""

    strategy: Literal["cap", "rescale"] = Field(
        "cap", description="how often words are hidden again: at most `eta`, or `eta` times as often as can be"
    )
    eta: float = Field(0.02, ge=0, le=1, description="see strategy; 0 is `ancestral`")


ancestral = Declaration(
    summary="masked: each hidden word is said at a random step, and stays",
    implementation="diffmidi_samplers.masked:Ancestral",
    options=MaskedOptions,
    family="masked",
)

confidence = Declaration(
    summary="masked: evenly many words a step, those first of which the network is surest",
    implementation="diffmidi_samplers.masked:Confidence",
    options=ConfidenceOptions,
    family="masked",
)

remask = Declaration(
    summary="masked: words are also hidden again, so that mistakes can be mended (ReMDM)",
    implementation="diffmidi_samplers.masked:Remask",
    options=RemaskOptions,
    family="masked",
)
