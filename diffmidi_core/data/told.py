"""Told: the labels of training windows, and which of them training tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.data.known_labels import UNSAID, KnownLabel
from diffmidi_core.data.labels import COMMONEST, Label
from diffmidi_core.data.measures import MEASURES, measurable, measured, of_scores
from diffmidi_core.errors import UsageError
from diffmidi_core.music.key import KEYS
from diffmidi_core.music.notes import Score
from diffmidi_core.wording import listed, printable

WINDOW = "window"
"""All labels that are measured of windows, in a list of names."""
NO_KEY = "none"
BINS: Mapping[str, tuple[str, ...]] = {
    "velocity": ("very soft", "soft", "medium", "loud", "very loud"),
    "tempo": ("very slow", "slow", "medium", "fast", "very fast"),
}
LEVELS = ("very low", "low", "medium", "high", "very high")
"""Bins of other quantities, each of as many training windows."""
LOOKED_AT = 1024
"""Training windows that decide the bins."""
AT_ONCE = 64

Numbers = NDArray[np.int64]


@dataclass
class Told:
    """Labels of windows as numbers (`KnownLabel.number`).

    Attributes:
        known: the labels.
        tokenizer: which decodes windows.
        dropped: the share of rows of which none is told; of the others 1 to all are told, as often each number, so that
            whatever a request leaves out, training has met rows without it.
        of_pieces: the numbers of labels of pieces, by name, at the piece.
    """

    known: tuple[KnownLabel, ...]
    tokenizer: Tokenizer
    dropped: float = 0.1
    of_pieces: Mapping[str, Numbers] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        dataset: TokenDataset,
        tokenizer: Tokenizer,
        *,
        dropped: float,
        flag: str = "--condition",
    ) -> Self:
        """The labels of these names, with bins by the quantiles of some training windows, varied as training does.

        Raises UsageError for a label that neither tokens nor pieces have, or no training piece; it names the `flag`.
        """
        chosen = _chosen(names, dataset, tokenizer, flag)
        windows = [name for name in chosen if name in MEASURES]
        found = _looked_at(windows, dataset, tokenizer)
        known = tuple(
            _of_windows(name, found[name]) if name in found else _of_pieces(name, dataset, flag) for name in chosen
        )
        return cls.opened(known, dataset, tokenizer, dropped=dropped)

    @classmethod
    def opened(
        cls,
        known: Sequence[KnownLabel],
        dataset: TokenDataset,
        tokenizer: Tokenizer,
        *,
        dropped: float,
        pieces: Numbers | None = None,
    ) -> Self:
        """The same of labels that are known, for windows of these `pieces`; None: of those that are trained on."""
        of_pieces = [label for label in known if label.of == "pieces"]
        pieces = dataset.train_pieces if pieces is None else pieces
        return cls(
            tuple(known), tokenizer, dropped, _numbers_of_pieces(of_pieces, dataset, pieces) if of_pieces else {}
        )

    def draws(self, rows: int, *, seed: int, step: int) -> NDArray[np.float64]:
        """[rows, 1 + labels] numbers in [0, 1) that decide what is told of a step's rows: of (seed, step) alone."""
        return np.random.default_rng((seed, step)).random((rows, 1 + len(self.known)))

    def condition(self, batch: Batch, windows: Sequence[Window], draws: NDArray[np.float64]) -> dict[str, Tensor]:
        """[B] int64 by name what is told of the rows of a batch on the host, which are these windows."""
        rows = [ids[1 : 1 + count] for ids, count in zip(batch.ids.numpy(), batch.tokens.tolist(), strict=True)]
        pieces = np.array([window.piece for window in windows], dtype=np.int64)
        numbers = self.numbers(rows, pieces) * self.told(draws)
        return {label.name: torch.from_numpy(numbers[:, n].copy()) for n, label in enumerate(self.known)}

    def numbers(self, rows: Sequence[Ids], pieces: Numbers) -> Numbers:
        """[B, labels] all that is known of windows of these pieces."""
        found = _numbers(self.known, [self.tokenizer.decode(row) for row in rows])
        found |= {name: numbers[pieces] for name, numbers in self.of_pieces.items()}
        return np.stack([found[label.name] for label in self.known], -1)

    def told(self, draws: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[B, labels] which labels are told."""
        count = len(self.known)
        share = (draws[:, 0] - self.dropped) / (1 - self.dropped)
        how_many = np.where(share < 0, 0, 1 + (share * count).astype(np.int64))
        rank = draws[:, 1:].argsort(-1).argsort(-1)
        told: NDArray[np.bool_] = rank < how_many[:, None]
        return told


def check_label(name: str, folder: Path, tokenizer: Tokenizer, *, length: int, bars: int) -> None:
    """Raises UsageError where a prepared folder's windows have no such label, or only one value of it."""
    if name in (WINDOW, "none"):
        raise UsageError(f"--label {name}: it is one label, such as key or density.")
    dataset = TokenDataset(folder, tokenizer, length=length, bars=bars)
    (known,) = Told.of([name], dataset, tokenizer, dropped=0, flag="--label").known
    if len(known.seen) < 2:
        only = f"only {printable(known.seen[0])}" if known.seen else "none"
        raise UsageError(
            f"--label {printable(name)}: there are no two values to tell apart in the training music ({only} was met)."
        )


def obtained(known: Sequence[KnownLabel], score: Score) -> dict[str, str]:
    """What a piece turned out to be: of each label that can be measured and has a value."""
    numbers = _numbers(known, [score])
    return {
        label.name: label.values[number - 1]
        for label in known
        if label.name in numbers and (number := int(numbers[label.name][0])) != UNSAID
    }


def _numbers(known: Iterable[KnownLabel], scores: Sequence[Score]) -> dict[str, Numbers]:
    labels = {label.name: label for label in known if label.of == "windows"}
    return {name: _numbered(labels[name], values) for name, values in of_scores(scores, labels).items()}


def _numbered(label: KnownLabel, values: NDArray[np.float64]) -> Numbers:
    if label.edges:
        return np.array([label.bin_of(value) for value in values.tolist()], dtype=np.int64)
    keys = np.where(np.isnan(values), UNSAID, 1 + np.where(values < 0, len(KEYS), values))
    return keys.astype(np.int64)


def _chosen(names: Iterable[str], dataset: TokenDataset, tokenizer: Tokenizer, flag: str) -> list[str]:
    told, of_pieces = measurable(tokenizer), dataset.report["labels"]
    chosen = list(dict.fromkeys(one for name in names for one in (told if name == WINDOW else (name,))))
    for name in chosen:
        if name in MEASURES and name not in told:
            raise UsageError(
                f"{flag} {name}: the tokens of this tokenizer tell no {MEASURES[name]}. They tell {listed(list(told))}."
            )
        if name not in MEASURES and name not in of_pieces:
            raise UsageError(
                f"{flag} {printable(name)}: neither windows nor pieces have such a label. There are "
                f"{listed([*told, *(other for other in of_pieces if other not in MEASURES)])}."
            )
    return chosen


def _looked_at(names: Sequence[str], dataset: TokenDataset, tokenizer: Tokenizer) -> dict[str, NDArray[np.float64]]:
    """What some training windows measure."""
    if not names:
        return {}
    windows = dataset.draw(LOOKED_AT, seed=0, step=0)
    some = []
    for begin in range(0, len(windows), AT_ONCE):
        batch = dataset.batch(windows[begin : begin + AT_ONCE])
        rows = [ids[1 : 1 + count] for ids, count in zip(batch.ids.numpy(), batch.tokens.tolist(), strict=True)]
        some.append(measured(rows, tokenizer, names))
    return {name: np.concatenate([each[name] for each in some]) for name in names}


def _of_windows(name: str, values: NDArray[np.float64]) -> KnownLabel:
    if name == "key":
        label = KnownLabel(name=name, values=(*KEYS, NO_KEY), counts=(0,) * (len(KEYS) + 1))
    else:
        names = BINS.get(name, LEVELS)
        label = KnownLabel(name=name, values=names, counts=(0,) * len(names), edges=_edges(values, len(names)))
    return _counted(label, _numbered(label, values))


def _edges(values: NDArray[np.float64], bins: int) -> tuple[float, ...]:
    """Quantiles between bins of as many values; 0 where there is none."""
    values = values[~np.isnan(values)]
    between = np.arange(1, bins) / bins
    return tuple(np.quantile(values, between).tolist()) if len(values) else (0.0,) * (bins - 1)


def _counted(label: KnownLabel, numbers: Numbers) -> KnownLabel:
    counts = np.bincount(numbers, minlength=len(label.values) + 1)[1:]
    return label.model_copy(update={"counts": tuple(counts.tolist())})


def _of_pieces(name: str, dataset: TokenDataset, flag: str) -> KnownLabel:
    """A label of pieces: its commonest texts, or bins of its numbers; by the training pieces."""
    values = [dataset.labels(piece).get(name) for piece in dataset.train_pieces]
    texts = Counter(value for value in values if isinstance(value, str))
    if texts:
        known = sorted(texts, key=lambda text: (-texts[text], text))[:COMMONEST]
        return KnownLabel(name=name, values=tuple(known), counts=tuple(texts[text] for text in known), of="pieces")
    numbers = np.array([value for value in values if isinstance(value, int | float)], dtype=np.float64)
    if not len(numbers):
        raise UsageError(f"{flag} {printable(name)}: no training piece has this label.")
    label = KnownLabel(
        name=name, values=LEVELS, counts=(0,) * len(LEVELS), edges=_edges(numbers, len(LEVELS)), of="pieces"
    )
    return _counted(label, _numbered(label, numbers))


def _numbers_of_pieces(known: Sequence[KnownLabel], dataset: TokenDataset, pieces: Numbers) -> dict[str, Numbers]:
    """Of each label by the number of the piece, 0 at pieces that are not among these."""
    count = int(pieces.max(initial=-1)) + 1
    found = {label.name: np.zeros(count, dtype=np.int64) for label in known}
    for piece in pieces.tolist():
        labels = dataset.labels(piece)
        for label in known:
            found[label.name][piece] = _number_of(label, labels.get(label.name))
    return found


def _number_of(label: KnownLabel, value: Label | None) -> int:
    if label.edges:
        return label.bin_of(float(value)) if isinstance(value, int | float) else UNSAID
    return label.number(value) if isinstance(value, str) and value in label.values else UNSAID
