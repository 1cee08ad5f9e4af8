"""What every encoder of transformers needs to be a backbone: features in, masks, an attention kernel, local weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from diffmidi.api import DiffmidiError
from diffmidi.api.backbone import Backbone
from diffmidi_backbones.declarations import EncoderOptions

EAGER_UP_TO = 512


class Encoder(Backbone):
    """An encoder of transformers over features: it adds its positions, LayerNorm and dropout to them, then encodes.

    The weights start as the model's own, N(0, initializer_range²); the original Diffusion-LM left torch's defaults,
    which start the position table at N(0, 1). A subclass says which model, and sets `width`.
    """

    options: EncoderOptions
    model: Any
    called: ClassVar[str]
    """What people call the model; lower case, it is the backbone's name."""
    model_class: ClassVar[type[PreTrainedModel]]
    model_arguments: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, options: EncoderOptions, *, length: int) -> None:
        super().__init__(options, length=length)
        model: Any = (
            self._pretrained(options.pretrained)
            if options.pretrained
            else self.model_class(self.config(), **self.model_arguments)
        )
        positions = model.config.max_position_embeddings
        if positions < length:
            raise DiffmidiError(
                f"backbone '{self.called.lower()}' has {positions} positions and a window has {length}: "
                "choose a smaller --length, or set backbone.max_positions."
            )
        # Tokens are not its business here; left in place they would be parameters without a gradient.
        del model.embeddings.word_embeddings
        self.model = model

    @abstractmethod
    def config(self) -> PreTrainedConfig:
        """The configuration of a new model, from the options."""

    def common(self) -> dict[str, Any]:
        """The part of it that all encoders have; one token and one segment, since features come in."""
        options = self.options
        return {
            "vocab_size": 1,
            "type_vocab_size": 1,
            "num_hidden_layers": options.layers,
            "num_attention_heads": options.heads,
            "intermediate_size": options.feed_forward,
            "hidden_act": options.activation,
            "hidden_dropout_prob": options.dropout,
            "attention_probs_dropout_prob": options.attention_dropout,
            "max_position_embeddings": options.max_positions or self.length,
            "initializer_range": options.initializer_range,
            "layer_norm_eps": options.layer_norm_eps,
        }

    def checkpointing(self, on: bool) -> None:
        """Recompute each layer's activations in the backward pass, or keep them."""
        self.model.main_input_name = "inputs_embeds"  # else transformers looks for the embeddings of tokens
        # Older releases of transformers say gradient_checkpointing where newer ones say activation_checkpointing.
        names = ("activation_checkpointing", "gradient_checkpointing")
        prefix = next(name for name in names if hasattr(self.model, f"{name}_enable"))
        if on:
            getattr(self.model, f"{prefix}_enable")({"use_reentrant": False})
        else:
            getattr(self.model, f"{prefix}_disable")()

    def as_transformers(self) -> PreTrainedModel:
        """The encoder itself; it takes features, and the embeddings of tokens that it lacks are not used."""
        model: PreTrainedModel = self.model
        return model

    def encode(self, hidden: Tensor, attention_mask: Tensor | None, positions: Tensor | None) -> Tensor:
        """Features the model takes, [B, L, ·], to its last hidden state, [B, L, ·]; the rest is as in `forward`."""
        self._use_attention(hidden)
        mask = attention_mask
        if attention_mask is not None and attention_mask.dim() == 3:
            mask = attention_mask[:, None]
            if self.model.config._attn_implementation == "eager":  # it adds the mask to the scores, even a bool one
                mask = torch.zeros_like(mask, dtype=hidden.dtype).masked_fill(~mask, torch.finfo(hidden.dtype).min)
        found = self.model(inputs_embeds=hidden, attention_mask=mask, position_ids=positions)
        encoded: Tensor = found.last_hidden_state
        return encoded

    def _use_attention(self, hidden: Tensor) -> None:
        """torch's fused CPU kernel is slower than plain products at a window's length (benchmarks/README.md)."""
        wanted = self.options.attention
        if wanted == "auto":
            wanted = "eager" if hidden.device.type == "cpu" and hidden.shape[1] <= EAGER_UP_TO else "sdpa"
        if self.model.config._attn_implementation != wanted:
            self.model.set_attn_implementation(wanted)

    def _pretrained(self, folder: Path) -> PreTrainedModel:
        if not (folder / "config.json").is_file():
            raise DiffmidiError(
                f"backbone.pretrained: there is no {self.called} in {folder} (config.json and model.safetensors)."
            )
        try:
            model: PreTrainedModel = self.model_class.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                attn_implementation="sdpa",
                dtype=torch.float32,
                **self.model_arguments,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise DiffmidiError(
                f"backbone.pretrained: {folder} cannot be loaded: {' '.join(str(error).split())}"
            ) from error
        return model
