"""Process `masked`: what is round the backbone of masked diffusion: token embeddings below, a token head above."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffmidi.api.process import (
    Backbone,
    Groups,
    Labelled,
    MaskedDiffusion,
    Neighbours,
    NoiseSchedule,
    Seen,
    StandEmbedding,
    TokenHead,
    Tokenizer,
    places_of_groups,
    time_embedding,
)
from diffmidi_processes.declarations import MaskedOptions

TIME_SCALE = 1000
HEAD_STD = 0.02
"""Of the head's matrix before training, as in BERT: nearly the same odds for every token."""


class Masked(Labelled, MaskedDiffusion):
    """Embeddings of the tokens and of [MASK] into the backbone, and BERT's head out of it (Devlin et al. 2019).

    No time goes in by default: how many tokens are hidden can be seen (Sahoo et al. 2024, MDLM).
    """

    options: MaskedOptions

    def __init__(
        self, options: MaskedOptions, *, tokenizer: Tokenizer, backbone: Backbone, schedule: NoiseSchedule
    ) -> None:
        parts: dict[str, Any] = {"tokenizer": tokenizer, "backbone": backbone, "schedule": schedule}
        chosen: dict[str, Any] = options.model_dump(include={"typed", "notes", "order", "given"})
        super().__init__(options, **parts, **chosen)
        width, head_std = backbone.width, None if options.tied else HEAD_STD
        self.tokens = TokenHead(len(tokenizer.vocab), width, std=options.init_std, head_std=head_std)
        self.groups = Groups(self.group, width, width)
        self.types = self.stand = None
        if self.plan is not None:
            self.types = nn.Parameter(torch.randn(len(tokenizer.grammar.types), width) * options.init_std)
            self.stand = StandEmbedding(width, backbone.length, options.init_std)
        self.neighbours = Neighbours(width, options.neighbours) if options.neighbours else None
        self.sees_level = options.time
        self.time = (
            nn.Sequential(nn.Linear(options.time_width, width), nn.SiLU(), nn.Linear(width, width))
            if options.time
            else None
        )

    @classmethod
    def positions(cls, options: MaskedOptions, tokenizer: Tokenizer, length: int, bars: int) -> int:
        """One for each group, and with a plan as many as its bars take."""
        return places_of_groups(tokenizer, length, bars, notes=options.notes)

    def enter(self, seen: Seen) -> Tensor:
        """Features [B, N, H]: a group's embeddings together, and what is known of its place."""
        tokens = self.tokens.embed(seen.ids)  # [B, N, g, H]
        if self.types is not None and seen.types is not None:
            tokens = tokens + F.embedding(seen.types, self.types)
        hidden = self.groups.together(tokens)  # [B, N, H]
        if self.stand is not None and seen.stand is not None:
            hidden = hidden + self.stand(seen.stand)
        if self.time is not None:
            waves = time_embedding(TIME_SCALE * seen.level.flatten().to(hidden.dtype), self.options.time_width)
            hidden = hidden + self.time(waves).view(len(hidden), -1, hidden.shape[-1])
        if self.neighbours is not None:
            hidden = self.neighbours(hidden, seen.real, seen.runs)
        return self.with_labels(hidden, seen.condition)

    def leave(self, features: Tensor) -> Tensor:
        """Logits [B, N, g, V]."""
        logits: Tensor = self.tokens(self.groups.apart(features))
        return logits

    def leave_at(self, features: Tensor, at: Tensor) -> Tensor:
        """Logits [K, V]."""
        logits: Tensor = self.tokens(self.groups.apart(features)[at])
        return logits
