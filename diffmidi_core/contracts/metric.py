"""Metric: a pure measure of one item, and a summary of the rows; ranks gather rows."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.music.notes import Score, notes_of

Row = Mapping[str, float]
T = TypeVar("T")
Keep = Callable[[str, Callable[[Path], None]], Path]
"""From a name and what fills a folder to the folder of that name, which is filled once."""


class TrainingMusic:
    """The pieces a model was trained on, read when first asked for; all items of one evaluation share it.

    Args:
        names: what each piece is called.
        read: the piece of that number, as music.
        ids: its tokens, without specials; None where the music is no model's and has none.
        keep: where files on it are kept from one evaluation to the next; None where there is no such place.
    """

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[int], Score],
        ids: Callable[[int], Ids] | None = None,
        keep: Keep | None = None,
    ) -> None:
        self.names = names
        self.read = read
        self.ids = ids or _no_tokens
        self._derived: dict[Callable[[TrainingMusic], Any], Any] = {}
        self._keep = keep

    def __len__(self) -> int:
        return len(self.names)

    def derived(self, build: Callable[[TrainingMusic], T]) -> T:
        """`build(self)`, worked out once for all who ask with the same function: where a metric keeps its index."""
        if build not in self._derived:
            self._derived[build] = build(self)
        found: T = self._derived[build]
        return found

    def kept(self, name: str, fill: Callable[[TrainingMusic, Path], None]) -> Path:
        """A folder with what `fill(self, folder)` wrote into it: what is too large to be worked out at each evaluation.

        It lies beside the music where that was prepared, for every process and all evaluations, and in a temporary
        folder where there is no such place. `name` says what it is and in which form: another form needs another name.
        """
        if self._keep is not None:
            return self._keep(name, partial(fill, self))
        temporary = Path(tempfile.mkdtemp(prefix="diffmidi-"))
        weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        fill(self, temporary)
        return temporary


def _no_tokens(number: int) -> Ids:
    raise TypeError("this music was read from files and has no tokens: a metric that asks for them says needs_tokens.")


@dataclass(frozen=True)
class Sample:
    """One stretch of music: generated, or a window of held-out music that is decoded in the same way.

    Attributes:
        ids: its tokens, without specials.
        score: the music that they decode to.
        tokenizer: the one that decodes them.
        training: what the model was trained on; None where that is not at hand.
        record: whole numbers that were written down when it was drawn, by name; held-out music has none.
    """

    ids: Ids
    score: Score
    tokenizer: Tokenizer
    training: TrainingMusic | None = None
    record: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_music(cls, score: Score, training: TrainingMusic | None = None) -> Self:
        """Music without tokens, as a file holds it: `ids` and `tokenizer` are None, and `needs_tokens` metrics are not
        asked.
        """
        return cls(cast(Any, None), score, cast(Any, None), training)


@dataclass(frozen=True)
class WindowBits:
    """One held-out window, as the process sees it.

    Attributes:
        terms: name to [N + 2] bits: what each term of the bound charges for [CLS], each of the N tokens, and [SEP].
        window: the tokens and their music.
        by_level: bits of term "diffusion" by equal ranges of the noise level, from clean to noise (`Bound.by_level`);
            None where the process does not say.
        exact: [N + 2] bits of the exact likelihood, by the order in which tokens are revealed, in words; of the windows
            that it was asked of.
    """

    terms: Mapping[str, NDArray[np.float64]]
    window: Sample
    exact: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    by_level: NDArray[np.float64] | None = None

    @property
    def bits(self) -> float:
        """The whole bound."""
        return float(sum(term.sum() for term in self.terms.values()))

    @property
    def tokens(self) -> int:
        """How many tokens the window holds, specials not counted."""
        return len(self.window.ids)

    @property
    def notes(self) -> int:
        """How many notes they say."""
        return self.window.tokenizer.count_notes(self.window.ids)

    @property
    def seconds(self) -> float:
        """Time that passes up to the last onset: windows that tile a piece add up to it.

        At the tempo that the tokenizer decodes to.
        """
        if not len(notes_of(self.window.score)):
            return 0.0
        timed: Any = self.window.score.to("second")
        return max(float(track.notes.numpy()["time"].max()) for track in timed.tracks if len(track.notes))


@dataclass(frozen=True)
class Figure:
    """One number we print, with what it was measured on.

    Attributes:
        value: the number.
        unit: "bits per token", "%", ...
        count: over how many items.
        of: what the items are: "held-out windows", "samples".
        error: its standard error, where there is one.
        note: what a reader must know before quoting it.
        interval: its 95 % confidence interval.
        reference: the same figure of held-out music, and
        reference_interval: its 95 % confidence interval.
        skipped: how many more items could not be measured (without notes, too short); they are not in `count`.
    """

    value: float
    unit: str
    count: int
    of: str
    error: float | None = None
    note: str = ""
    interval: tuple[float, float] | None = None
    reference: float | None = None
    reference_interval: tuple[float, float] | None = None
    skipped: int = 0


Summary = Figure | Mapping[str, Figure] | None
"""What a metric says: a figure, or several by name ("pitch" of `bits_by_type` is printed as bits_by_type/pitch)."""


class Metric(ABC):
    """Judges a model on held-out windows, or the music it made. Built as `Class(options)`; no state.

    `subject` says what `measure` is given: "likelihood" a WindowBits, "samples" a Sample.

    `needs_tokens` says of one on "samples" whether it looks at more than a sample's score and training music: at its
    tokens, its tokenizer or its record. MIDI files of unknown origin have none of these, and it is left out there.

    `needs_model` says of one on "samples" that it asks a trained model, which its option `model` names
    (`diffmidi.api.metric.ModelMetric`).
    """

    subject: ClassVar[Literal["likelihood", "samples"]]
    needs_tokens: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False

    def __init__(self, options: Options) -> None:
        self.options = options

    @abstractmethod
    def measure(self, item: WindowBits | Sample) -> Row:
        """What is needed of one item: name to number. Pure, and independent of other items."""

    @abstractmethod
    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The figure over all rows, in any order; None (or no figures) where there are no rows to speak of.

        `reference` holds rows of held-out music measured in the same way, in windows as long as the samples; it is
        empty for "likelihood", and where nothing is held out.
        """


def named(name: str, summary: Summary) -> dict[str, Figure | None]:
    """A metric's summary as figures by their full names."""
    if summary is None or isinstance(summary, Figure):
        return {name: summary}
    return {f"{name}/{part}": figure for part, figure in summary.items()} or {name: None}
