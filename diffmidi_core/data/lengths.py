"""How long the training music is: what a model keeps of it, to draw pieces as long. Light to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffmidi_core.data.dataset import TokenDataset

QUANTILES = 100
WINDOWS = 1000
"""Training windows that the quantiles of their lengths are taken from."""


@dataclass(frozen=True)
class DataLengths:
    """How long the training music is, in words. A checkpoint keeps it, so that drawing needs no data.

    Attributes:
        windows: quantiles of the lengths of training windows, rising.
        pieces: of the training pieces; empty where it is not known.
        words_per_note: None where it is not known.
    """

    windows: tuple[int, ...]
    pieces: tuple[int, ...] = ()
    words_per_note: float | None = None

    @classmethod
    def of(cls, dataset: TokenDataset) -> DataLengths:
        """Of a dataset that something can be trained on."""
        windows = [window.end - window.start for window in dataset.draw(WINDOWS, seed=0, step=0, plain=True)]
        words, notes = dataset.report["words"], dataset.report["notes"]
        return cls(_quantiles(windows), _quantiles(dataset.words_of_pieces()), words / notes if notes else None)


def _quantiles(lengths: Any) -> tuple[int, ...]:
    import numpy as np

    places = (np.arange(QUANTILES) + 0.5) / QUANTILES
    found: list[int] = np.quantile(lengths, places, method="inverted_cdf").tolist()
    return tuple(int(each) for each in found)
