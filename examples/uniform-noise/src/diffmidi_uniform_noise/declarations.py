"""What this package offers. Light: each class is imported when it is built."""

from __future__ import annotations

from diffmidi.api import Field, Options, ProcessDeclaration, SamplerDeclaration


class UniformOptions(Options):
    """What can be set for `uniform`."""

    steps: int = Field(200, ge=2, description="T, the number of noise levels")
    init_std: float = Field(0.2, gt=0, description="standard deviation of the token embeddings before training")
    neighbours: int = Field(
        8, ge=1, description="positions on either side that a convolution mixes in before the backbone"
    )
    time_width: int = Field(128, ge=2, description="width of the sinusoid of the noise level")


uniform = ProcessDeclaration(
    summary="uniform diffusion (D3PM): noise is any token that may stand in a place",
    implementation="diffmidi_uniform_noise.process:Uniform",
    options=UniformOptions,
    tiny={"steps": 20, "time_width": 16},
    family="uniform",
    goes_with={"sampler": "uniform_ancestral", "schedule": "cosine"},
)


class AncestralOptions(Options):
    """What can be set for `uniform_ancestral`."""

    temperature: float = Field(
        1.0, gt=0, description="logits are divided by it: below 1, the likelier tokens more often"
    )


uniform_ancestral = SamplerDeclaration(
    summary="uniform diffusion: one reverse step after another, in which every token may still change",
    implementation="diffmidi_uniform_noise.sampler:UniformAncestral",
    options=AncestralOptions,
    family="uniform",
    steps=50,
)
