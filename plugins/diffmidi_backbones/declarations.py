"""The built-in denoiser backbones, declared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from diffmidi_core.api import Declaration, Field, Options

PRESETS: Mapping[str, Mapping[str, int]] = {
    "tiny": {"width": 64, "layers": 2, "heads": 2, "feed_forward": 128},
    "small": {"width": 256, "layers": 4, "heads": 4, "feed_forward": 1024},
    "base": {"width": 768, "layers": 12, "heads": 12, "feed_forward": 3072},
}


class BertOptions(Options):
    """Options of BERT; `size` is a preset of width, layers, heads and feed_forward, each of which can be set alone."""

    size: Literal["tiny", "small", "base"] = Field("small", description="preset of the four sizes below")
    width: int = Field(256, ge=8, description="H, size of the hidden features (BertConfig.hidden_size)")
    layers: int = Field(4, ge=1, description="transformer layers (num_hidden_layers)")
    heads: int = Field(4, ge=1, description="attention heads; they divide the width (num_attention_heads)")
    feed_forward: int = Field(1024, ge=8, description="width inside the feed-forward blocks (intermediate_size)")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout on features (hidden_dropout_prob)")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout on attention (attention_probs_dropout_prob)")
    activation: Literal["gelu", "gelu_new", "relu", "silu"] = Field("gelu", description="hidden_act")
    attention: Literal["auto", "sdpa", "eager"] = Field(
        "auto", description="attention kernel; auto: sdpa, and eager on a CPU, where it is faster up to 512 positions"
    )
    initializer_range: float = Field(0.02, gt=0, description="standard deviation of the initial weights")
    layer_norm_eps: float = Field(1e-12, gt=0, description="added to the variance in LayerNorm")
    max_positions: int = Field(0, ge=0, description="size of the position table; 0: as many as the run's windows have")
    pretrained: Path | None = Field(None, description="folder with local BERT weights (config.json, model.safetensors)")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_size(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {**PRESETS.get(str(given.get("size", "small")), {}), **given}

    @model_validator(mode="after")
    def _heads_divide_width(self) -> BertOptions:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        return self

    @classmethod
    def merged(cls, below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
        """A new size replaces the sizes that an older one had filled in."""
        kept = {key: value for key, value in below.items() if "size" not in above or key not in PRESETS["small"]}
        return {**kept, **above}


bert = Declaration(
    summary="BERT encoder (transformers), from nothing or from local weights; the paper's denoiser",
    implementation="diffmidi_backbones.bert:Bert",
    options=BertOptions,
    tiny={"size": "tiny", "width": 16, "feed_forward": 32, "layers": 1},
)
