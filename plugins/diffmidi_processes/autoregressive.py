"""Process `autoregressive`: word embeddings below a backbone that looks back only, a head over the next word above."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffmidi.api.process import AutoregressiveProcess, Backbone, NoiseSchedule, Tokenizer
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
        words, width = len(tokenizer.vocab), backbone.width
        self.embedding = nn.Parameter(torch.randn(words, width) * options.init_std)
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.head = None if options.tied else nn.Parameter(torch.randn(words, width) * options.init_std)
        self.bias = nn.Parameter(torch.zeros(words))

    def predict(self, ids: Tensor) -> Tensor:
        """Logits [B, L, V]: at l those of the word at l, from what the backbone made of the words up to l − 1."""
        rows, length = ids.shape[0], ids.shape[1] - 1
        hidden = F.embedding(ids[:, :-1], self.embedding)  # [B, L - 1, H]
        backwards = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        features = self.transform(self.backbone(hidden, backwards.expand(rows, -1, -1)))
        matrix = self.embedding if self.head is None else self.head
        with torch.autocast(ids.device.type, enabled=False):  # the bits hang on it, and it is cheap
            return F.pad(F.linear(features.float(), matrix, self.bias), (0, 0, 1, 0))
