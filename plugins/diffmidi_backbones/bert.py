"""BERT (Devlin et al. 2019) as a denoiser: transformers' BertModel without tokens, pooler or head."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from transformers.models.bert.configuration_bert import BertConfig
from transformers.models.bert.modeling_bert import BertModel

from diffmidi_backbones.declarations import BertOptions
from diffmidi_backbones.encoder import Encoder


class Bert(Encoder):
    """BertModel over features of its hidden width."""

    options: BertOptions
    called = "BERT"
    model_class = BertModel
    model_arguments: ClassVar = {"add_pooling_layer": False}

    def __init__(self, options: BertOptions, *, length: int) -> None:
        super().__init__(options, length=length)
        self.width = self.model.config.hidden_size

    def config(self) -> BertConfig:
        """BertConfig of the options."""
        return BertConfig(hidden_size=self.options.width, **self.common())

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """[B, L, H] to [B, L, H]."""
        return self.encode(hidden, attention_mask, positions)
