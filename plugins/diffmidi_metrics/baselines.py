"""How well simple models predict the same tokens: without such figures a bound means little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from diffmidi.api import DiffmidiError
from diffmidi.api.metric import (
    ABOVE,
    BELOW,
    SPECIALS,
    Ids,
    Metric,
    Row,
    Sample,
    Score,
    Summary,
    Tokenizer,
    TrainingMusic,
    WindowBits,
    notes_of,
    ratio_figure,
)
from diffmidi_metrics.declarations import BaselinesOptions
from diffmidi_metrics.ngrams import Array, KneserNey, Numbers, TypedUnigram

FIT_TOKENS = 100_000
"""Tokens of training music, at most, on which the share of copied tokens is fitted."""
ROUNDS = 100
"""Of expectation-maximisation, for that one share."""

COPY = "copy_last_bar"


def bar_before(ids: Ids, score: Score, tokenizer: Tokenizer, bar: float) -> Numbers:
    """[N] where in `ids`, of which `score` is the music, the token stands that came one bar before; -1 where none did.

    That is told from the past alone. The last note (or whatever lies between two of the tokenizer's boundaries) that
    is whole has one that began a bar earlier, the same in the order of its chord; what followed on that one, token by
    token, is what came one bar before. `bar` is in quarter notes.
    """
    starts = tokenizer.starts(ids)
    ends = np.append(starts[1:], len(ids))
    onset = np.sort(notes_of(score).onset)
    notes = np.array([tokenizer.count_notes(ids[start:end]) for start, end in zip(starts, ends, strict=True)])
    none = np.full(len(ids), -1)
    if len(starts) < 2 or notes.sum() != len(onset) or not len(onset):  # the score has notes that the tokens have not
        return none
    began = onset[np.minimum(notes.cumsum() - notes, len(onset) - 1)]
    earlier = began - round(bar * score.ticks_per_quarter)
    order = np.arange(len(began)) - np.searchsorted(began, began)
    twin = np.searchsorted(began, earlier) + order
    twin = np.where(earlier >= began[0], np.minimum(twin, np.arange(len(began)) - 1), -2)
    before = np.arange(len(ids)) - 1  # the token before each, all that is known
    part = np.searchsorted(starts, before, side="right") - 1
    source = np.append(-2, twin)[np.maximum(part, 0)]  # the twin of the part before that one
    place = starts[np.maximum(source + 1, 0)] + before - starts[np.maximum(part, 0)] + 1
    return np.where((source >= 0) & (part >= 1), place, none)


@dataclass(frozen=True)
class _Recipe:
    """How the baselines of one training set are made; equal recipes share them."""

    tokenizer: Tokenizer
    options: BaselinesOptions

    def __call__(self, training: TrainingMusic) -> _Baselines:
        return _Baselines(training, self.tokenizer, self.options)


class _Baselines:
    """The simple models, trained on the pieces in an order that is always the same, until the tokens are enough."""

    def __init__(self, training: TrainingMusic, tokenizer: Tokenizer, options: BaselinesOptions) -> None:
        self.tokenizer, self.bar = tokenizer, options.bar
        pieces, taken, self.tokens = [], [], 0
        for number in np.random.default_rng(0).permutation(len(training)).tolist():
            piece = training.ids(number)[: options.most_tokens - self.tokens]
            if len(piece):
                pieces.append(piece)
                taken.append(number)
                self.tokens += len(piece)
        self.whole = self.tokens == sum(len(training.ids(number)) for number in range(len(training)))
        if not pieces:
            raise DiffmidiError("baselines have nothing to be trained on: the training music holds no tokens.")
        size = len(tokenizer.vocab)
        tokens = np.arange(size) >= len(SPECIALS)
        self.typed = TypedUnigram(pieces, tokenizer.grammar, size=size, tokens=tokens)
        self.models: dict[str, KneserNey | TypedUnigram] = {
            "unigram": KneserNey(pieces, 1, size=size, tokens=tokens),
            "typed_unigram": self.typed,
            "trigram": KneserNey(pieces, 3, size=size, tokens=tokens),
            f"{options.order}-gram": KneserNey(pieces, options.order, size=size, tokens=tokens),
        }
        self.copied = self._fit_copied(training, taken)

    def probabilities(self, window: Sample) -> Mapping[str, Array]:
        """[N] p of each token of a window, by baseline."""
        found = {name: model.probabilities(window.ids) for name, model in self.models.items()}
        p, hit, told = self._copying(window.ids, window.score)
        share = self.copied * told
        return {**found, COPY: share * hit + (1 - share) * p}

    def _copying(self, ids: Ids, score: Score) -> tuple[Array, Array, Array]:
        """[N] p of each token by itself; 1 where it is the one of a bar before; 1 where there is such a one."""
        source = bar_before(ids, score, self.tokenizer, self.bar)
        told = source >= 0
        hit = told & (np.asarray(ids)[np.maximum(source, 0)] == ids)
        return self.typed.probabilities(ids), hit.astype(float), told.astype(float)

    def _fit_copied(self, training: TrainingMusic, numbers: Sequence[int]) -> float:
        """The share of copied tokens that makes training music likeliest (Dempster et al. 1977)."""
        p, hit, tokens = [], [], 0
        for number in numbers:
            ids = training.ids(number)
            alone, same, told = self._copying(ids, training.read(number))
            p.append(alone[told > 0])
            hit.append(same[told > 0])
            tokens += len(ids)
            if tokens >= FIT_TOKENS:
                break
        alone, same = np.concatenate(p), np.concatenate(hit)
        if not len(same):
            return 0.0
        share = 0.5
        for _ in range(ROUNDS):
            share = float((share * same / (share * same + (1 - share) * alone)).mean())
        return share


class Baselines(Metric):
    """baselines: bits per token of simple models, on the same windows and over the same tokens as bound_bpw.

    - `unigram`: how often each token comes, whatever comes before.
    - `typed_unigram`: the same for tokens of the type that may stand there (`TypedUnigram`).
    - `trigram`, `5-gram`: given the 2 or 4 tokens before, with modified Kneser-Ney smoothing (`KneserNey`).
    - `copy_last_bar`: with probability λ the token that stood one bar before (`bar_before`), else `typed_unigram`; λ
      is fitted on training music.

    They know the tokens from the window's first one on, as the model does, and are trained on the training pieces as
    these are, in no other key. All are exact: Σ -log2 p(w) / tokens. [CLS] and [SEP] are free.
    """

    subject: ClassVar[Literal["likelihood"]] = "likelihood"
    options: BaselinesOptions

    def measure(self, item: WindowBits | Sample) -> Row:
        """Bits of one window by baseline; nothing where the training music is not at hand."""
        if not isinstance(item, WindowBits):
            raise TypeError(f"Baselines measures WindowBits, not {type(item).__name__}.")
        training = item.window.training
        if training is None or not len(training) or not item.tokens:
            return {}
        models = training.derived(_Recipe(item.window.tokenizer, self.options))
        bits = {name: float(-np.log2(p).sum()) for name, p in models.probabilities(item.window).items()}
        about = {"trained on": models.tokens, "whole": int(models.whole), "copied": models.copied}
        return {**bits, BELOW: item.tokens, **about}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """A figure for each baseline."""
        found = [row for row in rows if row]
        if not found:
            return None
        row = found[0]
        trained = f"trained on {int(row['trained on']):,} tokens" + (
            ", all of the training music" if row["whole"] else ", as many as most_tokens allows"
        )
        figures = {}
        for name in ("unigram", "typed_unigram", "trigram", f"{self.options.order}-gram", COPY):
            of_it = [{ABOVE: each[name], BELOW: each[BELOW]} if each else {} for each in rows]
            note = f"{trained}; {100 * row['copied']:.0f} % of the tokens copied" if name == COPY else trained
            figure = ratio_figure(of_it, "bits per token", "windows", note=note)
            if figure is not None:
                figures[name] = figure
        return figures
