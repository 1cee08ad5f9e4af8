"""Process `autoregressive`: token embeddings below a causal backbone, a head over the next tokens above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffmidi.api.process import (
    EVERYWHERE,
    AutoregressiveProcess,
    Backbone,
    Groups,
    Labelled,
    Neighbours,
    NoiseSchedule,
    NoteHead,
    Past,
    Places,
    Stand,
    StandEmbedding,
    TokenHead,
    Tokenizer,
    places_of,
    places_of_groups,
)
from diffmidi_processes.declarations import AutoregressiveOptions


@dataclass(frozen=True)
class _Read:
    """What is kept between tokens: the backbone's past, and its features [B, H] at the last of `count` positions."""

    past: Past | None
    features: Tensor
    count: int


class Autoregressive(Labelled, AutoregressiveProcess):
    """The backbone under a causal mask (Vaswani et al. 2017, section 3.2.3), with the embeddings and head of `masked`.

    Position j reads group j − 1 (one token, or those of a note), and says group j: its tokens one after the other,
    those before in the group being mixed in by a small head. With a plan it is told where both groups stand.
    """

    options: AutoregressiveOptions

    def __init__(
        self, options: AutoregressiveOptions, *, tokenizer: Tokenizer, backbone: Backbone, schedule: NoiseSchedule
    ) -> None:
        super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule, typed=options.typed)
        self.group = tokenizer.group if options.notes or tokenizer.plan else 1
        std, width = options.init_std, backbone.width
        self.tokens = TokenHead(len(tokenizer.vocab), width, std=std, head_std=None if options.tied else std)
        self.groups = Groups(self.group, width, width)
        self.note = NoteHead(self.group, width) if self.group > 1 else None
        self.types = self.stand = self.before = None
        if tokenizer.plan:
            self.types = nn.Parameter(torch.randn(len(tokenizer.grammar.types), width) * std)
            self.stand, self.before = (StandEmbedding(width, backbone.length, std) for _ in range(2))
        self.neighbours = Neighbours(width, options.neighbours, causal=True) if options.neighbours else None

    @classmethod
    def positions(cls, options: AutoregressiveOptions, tokenizer: Tokenizer, length: int, bars: int) -> int:
        """One for each group, and with a plan as many as its bars take."""
        return places_of_groups(tokenizer, length, bars, notes=options.notes)

    def predict(self, ids: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """Logits [B, L, V]: those of the tokens of group j from what the backbone made of the groups up to j − 1."""
        groups = self._grouped(ids)
        hidden, positions = self._entered(groups, self._stand(ids, places), 0)
        hidden = self.with_labels(hidden, places.condition)
        features = self.backbone(hidden, self._causal(hidden, 0), positions)
        logits = self._said(features, groups).flatten(1, 2)[:, : ids.shape[1] - 1]
        return F.pad(logits, (0, 0, 1, 0))

    def predict_next(self, ids: Tensor, places: Places, past: Any) -> tuple[Tensor, Any]:
        """Logits [B, V] of the last token of ids [B, L], and a `_Read`."""
        groups = self._grouped(ids)
        count, read = groups.shape[1], past
        if read is None or read.count != count:
            before = read.count if read is not None and self.backbone.caches else 0
            hidden, positions = self._entered(groups, self._stand(ids, places), before)
            hidden = self.with_labels(hidden, places.condition)
            sees = self._causal(hidden, before)
            if self.backbone.caches:
                kept = None if read is None else read.past
                features, kept = self.backbone.cached(hidden, kept, sees, positions)
            else:
                features, kept = self.backbone(hidden, sees, positions), None
            read = _Read(kept, features[:, -1], count)
        said = self._said(read.features[:, None], groups[:, -1:])
        return said[:, 0, (ids.shape[1] - 2) % self.group], read

    def _grouped(self, ids: Tensor) -> Tensor:
        """[B, N, g] ids [B, L] without [CLS], in groups; what is missing in the last is [PAD]."""
        ids = ids[:, 1:]
        return F.pad(ids, (0, -ids.shape[1] % self.group), value=Tokenizer.pad_id).view(len(ids), -1, self.group)

    def _stand(self, ids: Tensor, places: Places) -> tuple[Tensor, Stand] | None:
        """[B, N, g] the types of the groups of ids [B, L], and where they stand; None where there is no plan."""
        if self.plan_next is None:
            return None
        types = self.placed(places, ids).types
        assert types is not None
        grouped = self._grouped(types)
        ends = F.pad(grouped.flatten(1), (1, 1))  # as whole groups between [CLS] and [SEP]
        return grouped, self.plan_next.plan.laid(ends, None).stand

    def _entered(
        self, groups: Tensor, planned: tuple[Tensor, Stand] | None, first: int
    ) -> tuple[Tensor, Tensor | None]:
        """What goes into the backbone at the positions from `first` on, [B, N - first, H], and their places."""
        # The convolution sees some positions before them.
        begin = max(0, first - self.options.neighbours)
        read = F.pad(groups[:, :-1], (0, 0, 1, 0), value=Tokenizer.cls_id)[:, begin:]
        tokens = self.tokens.embed(read)  # [B, N - begin, g, H]
        if planned is not None and self.types is not None:
            tokens = tokens + F.embedding(F.pad(planned[0][:, :-1], (0, 0, 1, 0))[:, begin:], self.types)
        hidden = self.groups.together(tokens)
        most = self.backbone.length - 1
        # A last group that holds [SEP] alone is asked about nothing, and may be one too many for the backbone.
        places = torch.arange(first, groups.shape[1], device=groups.device).clamp(max=most).expand(len(groups), -1)
        if planned is not None and self.stand is not None and self.before is not None:
            stand = planned[1]
            here = Stand(*(each[:, begin:] for each in (stand.bar, stand.cell, stand.rank)))
            before = Stand(*(F.pad(each[:, :-1], (1, 0))[:, begin:] for each in (stand.bar, stand.cell, stand.rank)))
            hidden = hidden + self.stand(here) + self.before(before)
            places = places_of(stand, self.backbone.length)[:, first:]
        if self.neighbours is not None:
            hidden = self.neighbours(hidden)
        return hidden[:, first - begin :], places

    @staticmethod
    def _causal(hidden: Tensor, before: int) -> Tensor:
        """[B, N, before + N] bool: each of N positions sees itself, those before it and those before them all."""
        count = hidden.shape[1]
        sees = torch.ones(count, before + count, dtype=torch.bool, device=hidden.device).tril(before)
        return sees.expand(len(hidden), -1, -1)

    def _said(self, features: Tensor, groups: Tensor) -> Tensor:
        """Logits [B, N, g, V] of the tokens of groups [B, N, g], from features [B, N, H]."""
        apart = self.groups.apart(features)
        if self.note is not None:
            apart = self.note(apart, self.tokens.embed(groups))
        logits: Tensor = self.tokens(apart)
        return logits
