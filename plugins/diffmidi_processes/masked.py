"""Process `masked`: what is round the backbone of masked diffusion: token embeddings below, a token head above."""

from __future__ import annotations

from torch import Tensor, nn

from diffmidi.api.process import (
    EVERYWHERE,
    Backbone,
    MaskedDiffusion,
    Neighbours,
    NoiseSchedule,
    Places,
    TokenHead,
    Tokenizer,
    time_embedding,
)
from diffmidi_processes.declarations import MaskedOptions

TIME_SCALE = 1000
HEAD_STD = 0.02
"""Of the head's matrix before training, as in BERT: nearly the same odds for every token."""


class Masked(MaskedDiffusion):
    """Embeddings of the tokens and of [MASK] into the backbone, and BERT's head out of it (Devlin et al. 2019).

    No time goes in by default: how many tokens are hidden can be seen (Sahoo et al. 2024, MDLM).
    """

    options: MaskedOptions

    def __init__(
        self, options: MaskedOptions, *, tokenizer: Tokenizer, backbone: Backbone, schedule: NoiseSchedule
    ) -> None:
        super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule, typed=options.typed)
        width, head_std = backbone.width, None if options.tied else HEAD_STD
        self.tokens = TokenHead(len(tokenizer.vocab), width, std=options.init_std, head_std=head_std)
        self.neighbours = Neighbours(width, options.neighbours) if options.neighbours else None
        self.time = (
            nn.Sequential(nn.Linear(options.time_width, width), nn.SiLU(), nn.Linear(width, width))
            if options.time
            else None
        )

    def denoise(self, z: Tensor, m: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """Logits [B, L, V] of the hidden tokens of z [B, L], m [B] of which are hidden."""
        hidden = self.tokens.embed(z)  # [B, L, H]
        if self.time is not None:
            waves = time_embedding(TIME_SCALE * m.to(hidden.dtype), self.options.time_width)
            hidden = hidden + self.time(waves)[:, None]
        if self.neighbours is not None:
            hidden = self.neighbours(hidden, places.mask)
        logits: Tensor = self.tokens(self.backbone(hidden, places.mask))
        return logits
