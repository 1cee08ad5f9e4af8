"""BERT (Devlin et al. 2019) as a denoiser: transformers' BertModel without words, pooler or head."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers.models.bert.configuration_bert import BertConfig
from transformers.models.bert.modeling_bert import BertModel

from diffmidi_backbones.declarations import BertOptions
from diffmidi_core.api import Backbone, DiffmidiError

EAGER_UP_TO = 512


class Bert(Backbone):
    """BertModel over features: it adds its positions, LayerNorm and dropout to them, then encodes.

    The weights start as BERT's own, N(0, initializer_range²); the original Diffusion-LM left torch's defaults, which
    start the position table at N(0, 1).
    """

    options: BertOptions

    def __init__(self, options: BertOptions, *, length: int) -> None:
        super().__init__(options, length=length)
        self.model = (
            _pretrained(options.pretrained) if options.pretrained else BertModel(_config(options, length), False)
        )
        config = self.model.config
        if config.max_position_embeddings < length:
            raise DiffmidiError(
                f"backbone 'bert' has {config.max_position_embeddings} positions and a window has {length}: "
                "choose a smaller --length, or set backbone.max_positions."
            )
        self.width = config.hidden_size
        # Words and segments are not BERT's business here; left in place they would be parameters without a gradient.
        del self.model.embeddings.word_embeddings

    def _use_attention(self, hidden: Tensor) -> None:
        """torch's fused CPU kernel is slower than plain products at a window's length (benchmarks/README.md)."""
        wanted = self.options.attention
        if wanted == "auto":
            wanted = "eager" if hidden.device.type == "cpu" and hidden.shape[1] <= EAGER_UP_TO else "sdpa"
        if self.model.config._attn_implementation != wanted:
            self.model.set_attn_implementation(wanted)

    def forward(self, hidden: Tensor, keep: Tensor | None = None) -> Tensor:
        """[B, L, H] to [B, L, H]."""
        self._use_attention(hidden)
        mask = keep
        if keep is not None and keep.dim() == 3:
            mask = keep[:, None]
            if self.model.config._attn_implementation == "eager":  # it adds the mask to the scores, even a bool one
                mask = torch.zeros_like(mask, dtype=hidden.dtype).masked_fill(~mask, torch.finfo(hidden.dtype).min)
        encoded: Tensor = self.model(inputs_embeds=hidden, attention_mask=mask).last_hidden_state
        return encoded


def _config(options: BertOptions, length: int) -> BertConfig:
    return BertConfig(
        vocab_size=1,
        type_vocab_size=1,
        hidden_size=options.width,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        intermediate_size=options.feed_forward,
        hidden_act=options.activation,
        hidden_dropout_prob=options.dropout,
        attention_probs_dropout_prob=options.attention_dropout,
        max_position_embeddings=options.max_positions or length,
        initializer_range=options.initializer_range,
        layer_norm_eps=options.layer_norm_eps,
    )


def _pretrained(folder: Path) -> BertModel:
    if not (folder / "config.json").is_file():
        raise DiffmidiError(f"backbone.pretrained: there is no BERT in {folder} (config.json and model.safetensors).")
    try:
        return BertModel.from_pretrained(
            folder,
            add_pooling_layer=False,
            local_files_only=True,
            use_safetensors=True,
            attn_implementation="sdpa",
            dtype=torch.float32,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise DiffmidiError(
            f"backbone.pretrained: {folder} cannot be loaded: {' '.join(str(error).split())}"
        ) from error
