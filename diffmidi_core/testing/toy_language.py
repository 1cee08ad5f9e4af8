"""A language so small that all its texts can be listed: what a process or a sampler does is compared with sums."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.grammar import Grammar
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import SPECIALS, Ids, Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.music.notes import Notes, Score, notes_of, score_of
from diffmidi_core.music.timeline import Timeline
from diffmidi_core.registry import Offer
from diffmidi_core.testing.surroundings import default_name, same_weights, smallest

TICKS = 480
FIRSTS, SECONDS = ("x0", "x1"), ("y0", "y1", "y2")
NOTES = 2
"""Notes of a text, of two tokens each: there are 36 texts."""


class ToyLanguage(Tokenizer):
    """A note is one of two tokens, then one of three, whatever stands before it: any text of such notes is legal."""

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options or Options())

    @property
    def vocab(self) -> tuple[str, ...]:
        """Nine tokens."""
        return (*SPECIALS, *FIRSTS, *SECONDS)

    @cached_property
    def _grammar(self) -> Grammar:
        kinds = [0] * len(SPECIALS) + [1] * len(FIRSTS) + [2] * len(SECONDS)
        return Grammar(("special", "x", "y"), np.array(kinds), np.array([[-1, 1, -1], [-1, -1, 0]]))

    @property
    def grammar(self) -> Grammar:
        """The two types take turns."""
        return self._grammar

    def encode_counted(self, score: Score) -> tuple[Ids, Mapping[str, int]]:
        """Pitches above middle C and durations in quarter notes, as far as there are tokens for them."""
        notes = notes_of(score)
        firsts = (notes.pitch - 60).clip(0, 1) + len(SPECIALS)
        length = (notes.duration // score.ticks_per_quarter - 1).clip(0, 2) + len(SPECIALS) + len(FIRSTS)
        return np.stack([firsts, length], 1).reshape(-1).astype(np.int32), {}

    def decode(self, ids: Ids, timeline: Timeline | None = None) -> Score:
        """One note a quarter note, of as many pairs as there are."""
        ids = np.asarray(ids)
        x, y = ids[(ids >= 4) & (ids < 6)], ids[ids >= 6]
        count = min(len(x), len(y))
        onset = np.arange(count) * TICKS
        duration = (y[:count].astype(np.int64) - 5) * TICKS
        return score_of(Notes(onset, duration, x[:count].astype(np.int64) + 56, np.full(count, 64)), TICKS)

    def starts(self, ids: Ids) -> NDArray[np.int64]:
        """Every other token."""
        return np.arange(0, len(ids), 2)

    def count_notes(self, ids: Ids) -> int:
        """As many as are decoded."""
        return len(notes_of(self.decode(ids)))


def every_text(tokenizer: Tokenizer, notes: int = NOTES) -> Tensor:
    """[N, L] all legal texts of so many notes, each between [CLS] and [SEP]."""
    tokens = [tokenizer.to_ids(FIRSTS).tolist(), tokenizer.to_ids(SECONDS).tolist()] * notes
    rows = [[tokenizer.cls_id, *text, tokenizer.sep_id] for text in itertools.product(*tokens)]
    return torch.tensor(rows)


def batch_of(ids: Tensor) -> Batch:
    """Texts [B, L] as windows without padding."""
    return Batch(ids, None, torch.full((len(ids),), ids.shape[1] - 2))


def bits_of(texts: Tensor) -> float:
    """log2 of their number: what no model of equally likely texts can be below."""
    return math.log2(len(texts))


def allowed_at(tokenizer: Tokenizer, length: int) -> Tensor:
    """[L, V] bool: the tokens that some text has in a place; at the ends of a window, its specials."""
    texts = every_text(tokenizer, (length - 2) // 2)
    allowed = torch.zeros(length, len(tokenizer.vocab), dtype=torch.bool)
    return allowed.scatter(1, texts.T, True)


class ToyBackbone(Backbone):
    """One head of attention and one layer behind it: as much as the toy language needs, and quick to train."""

    width = 32

    def __init__(self, options: Options, *, length: int) -> None:
        super().__init__(options, length=length)
        self.places = nn.Embedding(length, self.width)
        self.asked, self.kept, self.told = (nn.Linear(self.width, self.width) for _ in range(3))
        self.behind = nn.Sequential(
            nn.Linear(self.width, 2 * self.width), nn.GELU(), nn.Linear(2 * self.width, self.width)
        )

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """Features [B, L, H] to features [B, L, H]."""
        where = torch.arange(hidden.shape[1], device=hidden.device) if positions is None else positions
        hidden = hidden + self.places(where)
        scores = self.asked(hidden) @ self.kept(hidden).mT / math.sqrt(self.width)
        if attention_mask is not None:
            mask = attention_mask if attention_mask.ndim == 3 else attention_mask[:, None]
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        hidden = hidden + scores.softmax(-1) @ self.told(hidden)
        found: Tensor = hidden + self.behind(hidden)
        return found


def toy_process_of(offer: Offer, options: Options, *, backbone: str | None = None, seed: int = 0) -> Process:
    """A process over the toy language in eval mode, with the kit's own backbone or an installed one's smallest."""
    length = 2 * NOTES + 2
    with same_weights(seed):
        network = smallest("backbone", backbone, length=length) if backbone else ToyBackbone(Options(), length=length)
        schedule = smallest("schedule", offer.process().goes_with.get("schedule", default_name("schedule")))
        process: Process = offer.build(options, tokenizer=ToyLanguage(), backbone=network, schedule=schedule)
    return process.eval()
