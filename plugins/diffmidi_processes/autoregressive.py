"""Process `autoregressive`: token embeddings below a causal backbone, a head over the next token above."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from diffmidi.api.process import AutoregressiveProcess, Backbone, NoiseSchedule, TokenHead, Tokenizer
from diffmidi_processes.declarations import AutoregressiveOptions


class Autoregressive(AutoregressiveProcess):
    """The backbone under a causal mask (Vaswani et al. 2017, section 3.2.3), with the embeddings and head of `masked`.

    So the two have the same parameters, and differ in what they are asked alone.
    """

    options: AutoregressiveOptions

    def __init__(
        self, options: AutoregressiveOptions, *, tokenizer: Tokenizer, backbone: Backbone, schedule: NoiseSchedule
    ) -> None:
        super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule, typed=options.typed)
        std = options.init_std
        self.tokens = TokenHead(len(tokenizer.vocab), backbone.width, std=std, head_std=None if options.tied else std)

    def predict(self, ids: Tensor) -> Tensor:
        """Logits [B, L, V]: at l those of the token at l, from what the backbone made of the tokens up to l − 1."""
        rows, length = ids.shape[0], ids.shape[1] - 1
        hidden = self.tokens.embed(ids[:, :-1])  # [B, L - 1, H]
        backwards = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        logits = self.tokens(self.backbone(hidden, backwards.expand(rows, -1, -1)))
        return F.pad(logits, (0, 0, 1, 0))
