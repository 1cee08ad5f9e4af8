"""The built-in samplers."""

from typing import Literal, Self

from pydantic import model_validator

from diffmidi.api import Field, Options, SamplerDeclaration

Spacing = Literal["time", "logsnr", "karras"]
_SPACING = "in what the noise levels are evenly spaced: t, log-SNR, or sigma^(1/7)"


class GaussianOptions(Options):
    """What can be set for every sampler of Gaussian processes."""

    spacing: Spacing = Field("time", description=_SPACING)
    prediction: Literal["raw", "mean", "clamp"] = Field(
        "raw",
        description="what the steps take for x0: 'raw', the process's estimate; 'mean', the mean embedding under the "
        "tokens that it predicts; 'clamp', the nearest embedding of a token (the clamping trick of Diffusion-LM)",
    )
    temperature: float = Field(
        1.0,
        gt=0,
        description="with 'mean', the tokens' logits are divided by it: below 1, nearer to the likeliest token",
    )
    top_p: float = Field(
        1.0, gt=0, le=1, description="with 'mean', only the likeliest tokens that have this share together count"
    )
    legal: bool = Field(
        True, description="end in the most probable text that the tokenizer's grammar allows, not token by token"
    )

    @model_validator(mode="after")
    def _words_have_a_say(self) -> Self:
        if self.prediction != "mean" and (self.temperature, self.top_p) != (1, 1):
            raise ValueError(f"temperature and top_p need prediction=mean, not {self.prediction}")
        return self


class EtaOptions(GaussianOptions):
    """What can be set for samplers with any share of fresh noise."""

    eta: float = Field(0.0, ge=0, le=1, description="share of fresh noise: 0 none, 1 as much as ddpm")


class DpmPpOptions(EtaOptions):
    """What can be set for `dpmpp`."""

    spacing: Spacing = Field("logsnr", description=_SPACING)


class HeunOptions(GaussianOptions):
    """What can be set for `heun`."""

    spacing: Spacing = Field("logsnr", description=_SPACING)


ddpm = SamplerDeclaration(
    summary="ancestral sampling: fresh noise at every step",
    implementation="diffmidi_samplers.linear:Ddpm",
    options=GaussianOptions,
    family="gaussian",
)

ddim = SamplerDeclaration(
    summary="deterministic (or less noisy) steps, good when there are few",
    implementation="diffmidi_samplers.linear:Ddim",
    options=EtaOptions,
    family="gaussian",
)

dpmpp = SamplerDeclaration(
    summary="DPM-Solver++(2M): steps of second order at one evaluation each; with eta 1 its SDE form",
    implementation="diffmidi_samplers.linear:DpmPp",
    options=DpmPpOptions,
    family="gaussian",
    steps=20,
)

heun = SamplerDeclaration(
    summary="Karras et al.'s second-order steps, two evaluations each",
    implementation="diffmidi_samplers.heun:Heun",
    options=HeunOptions,
    family="gaussian",
    steps=20,
)


class MaskedOptions(Options):
    """What can be set for every sampler of masked processes."""

    temperature: float = Field(
        1.0, gt=0, description="logits are divided by it: below 1, the likelier tokens more often"
    )
    top_p: float = Field(1.0, gt=0, le=1, description="draw from the likeliest tokens that have this share together")


class ConfidenceOptions(MaskedOptions):
    """What can be set for `confidence`."""

    order_noise: float = Field(
        8.0,
        ge=0,
        description="Gumbel noise on the order, falling to 0 with the tokens left; 0: the surest tokens first, and "
        "music that repeats itself",
    )


class RemaskOptions(MaskedOptions):
    """What can be set for `remask`."""

    strategy: Literal["cap", "rescale"] = Field(
        "cap", description="how often tokens are hidden again: at most `eta`, or `eta` times as often as can be"
    )
    eta: float = Field(0.02, ge=0, le=1, description="see strategy; 0 is `ancestral`")


ancestral = SamplerDeclaration(
    summary="masked: each hidden token is said at a random step, and stays",
    implementation="diffmidi_samplers.masked:Ancestral",
    options=MaskedOptions,
    family="masked",
)

confidence = SamplerDeclaration(
    summary="masked: evenly many tokens a step, those first of which the network is surest",
    implementation="diffmidi_samplers.masked:Confidence",
    options=ConfidenceOptions,
    family="masked",
    steps=20,
    steps_by_bars=128,
)

remask = SamplerDeclaration(
    summary="masked: tokens are also hidden again, so that mistakes can be mended (ReMDM)",
    implementation="diffmidi_samplers.masked:Remask",
    options=RemaskOptions,
    family="masked",
)


class AutoregressiveOptions(Options):
    """What can be set for `autoregressive`."""

    temperature: float = Field(
        1.0, gt=0, description="logits are divided by it: below 1, the likelier tokens more often"
    )
    top_k: int = Field(0, ge=0, description="draw from so many tokens, the likeliest; 0: from all")
    top_p: float = Field(1.0, gt=0, le=1, description="draw from the likeliest tokens that have this share together")


autoregressive = SamplerDeclaration(
    summary="autoregressive: one token after the other, one evaluation each",
    implementation="diffmidi_samplers.autoregressive:Autoregressive",
    options=AutoregressiveOptions,
    family="autoregressive",
    step_per_token=True,
)
