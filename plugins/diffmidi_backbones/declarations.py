"""The built-in denoiser backbones, declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from diffmidi.api import Declaration, Field, Options, UserPath


class SizedOptions(Options):
    """Options of every transformer; `size` is a preset of others, each of which can be set alone."""

    presets: ClassVar[Mapping[str, Mapping[str, int]]]
    divided: ClassVar[str]
    """The option that the heads divide among them."""

    size: Literal["tiny", "mini", "small", "base"] = Field("mini", description="preset of widths, layers and heads")
    width: int = Field(128, ge=8, description="H, size of the hidden features")
    layers: int = Field(4, ge=1, description="transformer layers")
    heads: int = Field(4, ge=1, description="attention heads; they divide the width")
    feed_forward: int = Field(512, ge=8, description="width inside the feed-forward blocks")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout on features")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout on attention")
    initializer_range: float = Field(0.02, gt=0, description="standard deviation of the initial weights")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_size(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {**cls.presets.get(str(given.get("size", cls.model_fields["size"].default)), {}), **given}

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        width = getattr(self, self.divided)
        if width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide {self.divided} ({width})")
        return self

    @classmethod
    def merged(cls, below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
        """A new size replaces the sizes that an older one had filled in."""
        kept = {key: value for key, value in below.items() if "size" not in above or key not in cls.presets["small"]}
        return {**kept, **above}


class EncoderOptions(SizedOptions):
    """Options of every encoder of transformers."""

    activation: Literal["gelu", "gelu_new", "relu", "silu"] = Field("gelu", description="hidden_act")
    attention: Literal["auto", "sdpa", "eager"] = Field(
        "auto", description="attention kernel; auto: sdpa, and eager on a CPU, where it is faster up to 512 positions"
    )
    layer_norm_eps: float = Field(1e-12, gt=0, description="added to the variance in LayerNorm")
    max_positions: int = Field(0, ge=0, description="size of the position table; 0: as many as the run's windows have")
    pretrained: UserPath | None = Field(None, description="folder with local weights (config.json, model.safetensors)")


class BertOptions(EncoderOptions):
    """Options of BERT: `width` is its one width."""

    presets: ClassVar = {
        "tiny": {"width": 64, "layers": 2, "heads": 2, "feed_forward": 128},
        "mini": {"width": 128, "layers": 4, "heads": 4, "feed_forward": 512},
        "small": {"width": 256, "layers": 4, "heads": 4, "feed_forward": 1024},
        "base": {"width": 768, "layers": 12, "heads": 12, "feed_forward": 3072},
    }
    divided: ClassVar = "width"


class ElectraOptions(EncoderOptions):
    """Options of ELECTRA, which is narrower outside (`width`) than inside (`hidden`).

    A preset is as deep as BERT's of that name, its hidden width three quarters of BERT's, and its width half of that,
    like ELECTRA-small's. (The published ELECTRA-base is BERT-base's size; `pretrained` takes it as it is.)
    """

    presets: ClassVar = {
        "tiny": {"width": 24, "hidden": 48, "layers": 2, "heads": 2, "feed_forward": 96},
        "mini": {"width": 48, "hidden": 96, "layers": 4, "heads": 3, "feed_forward": 384},
        "small": {"width": 96, "hidden": 192, "layers": 4, "heads": 3, "feed_forward": 768},
        "base": {"width": 288, "hidden": 576, "layers": 12, "heads": 9, "feed_forward": 2304},
    }
    divided: ClassVar = "hidden"

    width: int = Field(48, ge=8, description="H, size of the features that go in and come out (embedding_size)")
    heads: int = Field(3, ge=1, description="attention heads; they divide the hidden width (num_attention_heads)")
    feed_forward: int = Field(384, ge=8, description="width inside the feed-forward blocks (intermediate_size)")
    hidden: int = Field(96, ge=8, description="width inside the encoder (hidden_size)")


class ModernOptions(SizedOptions):
    """Options of `modern`. A preset has as many parameters as BERT's of that name, and as many layers and heads.

    SwiGLU has three matrices where BERT's feed-forward blocks have two, which are hence a third narrower.
    """

    presets: ClassVar = {
        "tiny": {"width": 64, "layers": 2, "heads": 2, "feed_forward": 88},
        "mini": {"width": 128, "layers": 4, "heads": 4, "feed_forward": 344},
        "small": {"width": 256, "layers": 4, "heads": 4, "feed_forward": 688},
        "base": {"width": 768, "layers": 12, "heads": 12, "feed_forward": 2048},
    }
    divided: ClassVar = "width"

    feed_forward: int = Field(344, ge=8, description="width inside the feed-forward blocks")
    rotary_base: float = Field(10_000.0, gt=1, description="base of the wavelengths of rotary positions, in places")
    table: bool = Field(False, description="add a learned vector of its place to each position as well")
    norm_eps: float = Field(1e-6, gt=0, description="added to the mean square in RMSNorm")

    @model_validator(mode="after")
    def _rotary_needs_pairs(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width / heads must be even, for rotary positions turn pairs ({self.width} / {self.heads})"
            )
        return self


bert = Declaration(
    summary="BERT encoder (transformers), from nothing or from local weights; the paper's denoiser",
    implementation="diffmidi_backbones.bert:Bert",
    options=BertOptions,
    tiny={"size": "tiny", "width": 16, "feed_forward": 32, "layers": 1},
)
electra = Declaration(
    summary="ELECTRA encoder (transformers), from nothing or from local weights; lighter than BERT of the same size",
    implementation="diffmidi_backbones.electra:Electra",
    options=ElectraOptions,
    tiny={"size": "tiny", "width": 8, "hidden": 16, "feed_forward": 32, "layers": 1},
)
modern = Declaration(
    summary="transformer of today: rotary positions, SwiGLU, RMSNorm; keeps keys and values in drawing",
    implementation="diffmidi_backbones.modern:Modern",
    options=ModernOptions,
    tiny={"size": "tiny", "width": 16, "feed_forward": 32, "layers": 1},
)
