"""ELECTRA (Clark et al. 2020) as a denoiser: transformers' ElectraModel without tokens, narrow at both ends."""

from __future__ import annotations

from torch import Tensor, nn
from transformers.models.electra.configuration_electra import ElectraConfig
from transformers.models.electra.modeling_electra import ElectraGeneratorPredictions, ElectraModel

from diffmidi_backbones.declarations import ElectraOptions
from diffmidi_backbones.encoder import Encoder


class Electra(Encoder):
    """ElectraModel over features of its embedding width, which it projects to its hidden width itself.

    The way back is that of ELECTRA's generator: Linear to the embedding width, GELU, LayerNorm. Where both widths are
    the same there is nothing to project, and the model has BERT's shape.
    """

    options: ElectraOptions
    called = "ELECTRA"
    model_class = ElectraModel

    def __init__(self, options: ElectraOptions, *, length: int) -> None:
        super().__init__(options, length=length)
        config = self.model.config
        self.width = config.embedding_size
        self.back: nn.Module = nn.Identity()
        if config.embedding_size != config.hidden_size:
            self.back = ElectraGeneratorPredictions(config)  # type: ignore[no-untyped-call]
            self.back.apply(self.model._init_weights)

    def config(self) -> ElectraConfig:
        """ElectraConfig of the options."""
        return ElectraConfig(embedding_size=self.options.width, hidden_size=self.options.hidden, **self.common())

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """[B, L, H] to [B, L, H]."""
        features: Tensor = self.back(self.encode(hidden, attention_mask, positions))
        return features
