"""Metric: a pure measure of one item, and a summary of the rows; ranks gather rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.music.notes import Score

Row = Mapping[str, float]


@dataclass(frozen=True)
class WindowBits:
    """One held-out window, as the process sees it: bits by term of the bound, and what to divide them by."""

    terms: Mapping[str, float]
    words: int
    notes: int


@dataclass(frozen=True)
class Sample:
    """One generated piece: its words (without specials), the music they decode to, and the tokenizer that says so."""

    ids: Ids
    score: Score
    tokenizer: Tokenizer


@dataclass(frozen=True)
class Figure:
    """One number we print, with what it was measured on.

    Attributes:
        value: the number.
        unit: "bits per word", "%", ...
        count: over how many items.
        of: what the items are: "held-out windows", "samples".
        error: its standard error, where there is one.
        note: what a reader must know before quoting it.
    """

    value: float
    unit: str
    count: int
    of: str
    error: float | None = None
    note: str = ""


class Metric(ABC):
    """Judges a model on held-out windows, or the music it made. Built as `Class(options)`; no state.

    `subject` says what `measure` is given: "likelihood" a WindowBits, "samples" a Sample.
    """

    subject: ClassVar[Literal["likelihood", "samples"]]

    def __init__(self, options: Options) -> None:
        self.options = options

    @abstractmethod
    def measure(self, item: WindowBits | Sample) -> Row:
        """What is needed of one item: name to number. Pure, and independent of other items."""

    @abstractmethod
    def summarise(self, rows: Sequence[Row]) -> Figure | None:
        """The figure over all rows, in any order; None where there are no rows to speak of."""
