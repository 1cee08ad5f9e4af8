"""Ranking: which of several takes is the best, by the model's bound, by what was asked of them, or by a metric.

The bound is that of p(what is new | what stands), in bits per new note: tokens that stand are never masked and cost
nothing. It is estimated with the same numbers of masked tokens, at the same places, for every take, so that most of the
noise of the estimate is the same for all of them. A process that cannot be given anything is asked for whole windows,
and what it charges for the new tokens is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import torch

from diffmidi_core.config import filled
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.metric import Figure, Metric, Sample
from diffmidi_core.data.known_labels import asked_of
from diffmidi_core.data.told import obtained
from diffmidi_core.draw.filled import Shown
from diffmidi_core.draw.model import Model
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.machine.build import blamed, build
from diffmidi_core.machine.seeds import generator_for
from diffmidi_core.music.notes import Score
from diffmidi_core.registry import find
from diffmidi_core.request import BY_BOUND, BY_LABELS, Request
from diffmidi_core.saved.takes import Rank
from diffmidi_core.sections import Part

MASKINGS = 8
"""Numbers of masked tokens at which the bound is estimated, in each part of a window."""


@dataclass(frozen=True)
class Candidate:
    """A take to be ranked.

    Attributes:
        number: as it was drawn, from 1 on.
        windows: of its tokens.
        notes: how many of its notes are new.
        score: the bars in which something is new, with all their notes.
    """

    number: int
    windows: Sequence[Shown]
    notes: int
    score: Callable[[], Score]


def ranked(
    model: Model,
    request: Request,
    candidates: Sequence[Candidate],
    piece: Score,
    autocast: Callable[[], AbstractContextManager[None]],
) -> list[Rank]:
    """What ranks the takes, the best first; of two alike the one that was drawn first.

    By a metric of which neither high nor low figures are the better ones, those come first that are the nearest to
    that of the `piece` as it was.

    Raises DiffmidiError for a metric that gives no figure of any take.
    """
    by = request.rank_by
    if by == BY_BOUND:
        with autocast(), torch.no_grad():
            values = bits_per_note(model, candidates)
        return _sorted(by, "bits per new note", candidates, values, lower=True)
    if by == BY_LABELS:
        values = [agreement(model, request, each) for each in candidates]
        return _sorted(by, "share of what was asked", candidates, values, lower=False)
    return _by_metric(by, candidates, piece)


def metric_of(by: str) -> tuple[Metric, Part]:
    """The metric of a name. Raises UsageError for one that does not judge music by its notes."""
    part = filled("metric", Part(name=by))
    metric: Metric = build("metric", part)
    if metric.subject != "samples" or metric.needs_tokens or metric.needs_model:
        raise UsageError(
            f"--rank-by {by}: it does not judge a piece by its notes alone: choose another metric, or {BY_BOUND}."
        )
    return metric, part


def check_ranking(request: Request) -> None:
    """Raises UsageError where takes cannot be ranked as a request says."""
    if request.count > 1 and request.rank_by not in (BY_BOUND, BY_LABELS):
        metric_of(request.rank_by)


def bits_per_note(model: Model, candidates: Sequence[Candidate]) -> list[float]:
    """The bound on what is new of each take, by its new notes; no number where there are none."""
    bits = np.zeros(len(candidates))
    # The n-th windows of all takes are as wide, so that the same places are masked in them.
    for number, windows in enumerate(zip_longest(*(each.windows for each in candidates))):
        width = max(len(window.ids) for window in windows if window is not None)
        for place, window in enumerate(windows):
            if window is not None:
                bits[place] += _bits(model, window, width, number)
    return [float(value) / each.notes if each.notes else math.nan for value, each in zip(bits, candidates, strict=True)]


def agreement(model: Model, request: Request, candidate: Candidate) -> float:
    """The share of what was asked that its bars have, a bin that is off by one counting half; no number where none of
    it can be measured.
    """
    known = model.manifest.labels
    asked, has = asked_of(request.want, known, candidate.number - 1), obtained(known, candidate.score())
    points = []
    for label in known:
        if label.name not in asked or label.name not in has:
            continue
        wanted, found = asked[label.name], has[label.name]
        near = bool(label.edges) and abs(label.number(wanted) - label.number(found)) == 1
        points.append(1.0 if wanted == found else 0.5 if near else 0.0)
    return sum(points) / len(points) if points else math.nan


def _bits(model: Model, window: Shown, width: int, number: int) -> float:
    """What the new tokens of a window cost, in bits."""
    device = next(model.process.parameters()).device
    canvas = Canvas.begun([window.ids], [len(window.ids)], width=width)
    new = torch.zeros(canvas.ids.shape, dtype=torch.bool)
    new[0, 1 : 1 + len(window.ids)] = torch.from_numpy(window.new)
    lengths = torch.tensor([len(window.ids)])
    batch = Batch(canvas.ids, canvas.attention_mask, lengths, given=~new).to(device)
    with blamed("process", model.parts["process"], "estimating its bound"):
        bound = model.process.bound(batch, generator_for(0, "rank", number, device=device), levels=MASKINGS)
    return float(sum(term[new.to(term.device)].double().sum() for term in bound.terms.values()))


def _by_metric(by: str, candidates: Sequence[Candidate], piece: Score) -> list[Rank]:
    metric, part = metric_of(by)

    def measured(score: Score) -> Figure | None:
        with blamed("metric", part, "ranking takes"):
            found = metric.summarise([metric.measure(Sample.of_music(score))])
        if isinstance(found, Figure):
            return found
        if found:
            raise UsageError(
                f"--rank-by {by}: it says several things of a take ({', '.join(found)}), which have no one order: "
                "choose another metric."
            )
        return None

    figures = [measured(each.score()) for each in candidates]
    known = [figure for figure in figures if figure is not None]
    if not known:
        raise DiffmidiError(f"--rank-by {by}: it has no figure of any of these takes: rank them by {BY_BOUND}.")
    values = [math.nan if figure is None else figure.value for figure in figures]
    better, near = find("metric", by).metric().better, measured(piece)
    if better or near is None:
        return _sorted(by, known[0].unit, candidates, values, lower=better == "lower")
    return _sorted(by, known[0].unit, candidates, values, near=near.value)


def _sorted(
    by: str,
    unit: str,
    candidates: Sequence[Candidate],
    values: Sequence[float],
    *,
    lower: bool = True,
    near: float | None = None,
) -> list[Rank]:
    """By rising or falling values, or by how near they are to one; takes without a value are the last."""
    ranks = [
        Rank(by=by, value=None if math.isnan(value) else value, unit=unit, drawn=each.number)
        for each, value in zip(candidates, values, strict=True)
    ]

    def key(rank: Rank) -> float:
        if rank.value is None:
            return math.inf
        if near is not None:
            return abs(rank.value - near)
        return rank.value if lower else -rank.value

    return sorted(ranks, key=key)
