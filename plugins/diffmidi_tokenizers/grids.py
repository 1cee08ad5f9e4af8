"""What a step of time is: a share of a quarter note, or some milliseconds."""

from __future__ import annotations

from abc import ABC, abstractmethod

from diffmidi.api.tokenizer import Moved, Notes, Score, Timeline
from diffmidi_tokenizers import steps
from diffmidi_tokenizers.scale import Scale, even, geometric

LEAST_RESOLUTION = 480
FINE = 25
"""Half of the steps that words of milliseconds tell apart one by one."""


class Grid(ABC):
    """Steps of time, and how they are written.

    Attributes:
        unit: what follows the number in a word of time.
        step: what that number says of one step.
        steps: in a quarter note, at 120 a minute where they are milliseconds.
        ticks: in a step of a decoded score.
        ticks_per_quarter: of a decoded score, at 120 quarter notes a minute.
    """

    unit: str
    step: int
    steps: int
    ticks: int
    ticks_per_quarter: int

    @abstractmethod
    def place(self, score: Score, notes: Notes) -> tuple[Notes, float]:
        """Notes in ticks of the score -> notes in steps, the first onset at step 0, every note at least a step long.
        And the tick of step 0.
        """

    def written(self, scale: Scale) -> list[str]:
        """What follows the letter in the words of a scale."""
        return [f"{length * self.step}{self.unit}" for length in scale.values]

    @abstractmethod
    def scale(self, first: int, longest: int) -> Scale:
        """The words there are: from `first` steps to `longest` quarter notes or seconds."""

    @abstractmethod
    def timeline(self, score: Score, zero: float, moved: Moved | None) -> Timeline:
        """What steps do not say of the score, whose step 0 is tick `zero`; `moved` as `Timeline.of` takes it."""

    @abstractmethod
    def onto(self, timeline: Timeline, score: Score) -> Score:
        """A decoded score with what its steps do not say."""


class Beats(Grid):
    """Shares of a quarter note: rhythm as it is written, whatever the tempo."""

    unit, step = "", 1

    def __init__(self, steps_in_a_quarter: int) -> None:
        self.ticks = -(-LEAST_RESOLUTION // steps_in_a_quarter)
        self.ticks_per_quarter = self.ticks * steps_in_a_quarter
        self.steps = steps_in_a_quarter

    def place(self, score: Score, notes: Notes) -> tuple[Notes, float]:
        """See `steps.on_grid`."""
        return steps.on_grid(notes, score.ticks_per_quarter, self.steps)

    def timeline(self, score: Score, zero: float, moved: Moved | None) -> Timeline:
        """In quarter notes."""
        return Timeline.of(score, zero, moved=moved, steps=self.steps)

    def onto(self, timeline: Timeline, score: Score) -> Score:
        """Every note at its quarter note."""
        return timeline.onto(score)

    def scale(self, first: int, longest: int) -> Scale:
        """Every number of steps."""
        return even(first, longest * self.steps)


class Milliseconds(Grid):
    """Steps of some milliseconds: music as it is played, through every change of tempo in its file.

    A word says up to 50 steps exactly, up to 100 every second one, up to 200 every fourth, and so on: two words in turn
    differ by 2 to 4 %, about what listeners notice in a time between two onsets (2.5 %, and 6 ms where it is shorter
    than 240 ms: Friberg & Sundberg 1995, doi:10.1121/1.413218).

    Measured on the 303 recordings of asap (838,000 notes), there and back, with steps of 10 ms and words up to 8 s: the
    mean error of an onset is 6.4 ms (5 ms: 4.1; 20 ms: 9.1), of a length 4.2 ms; no two notes are merged; 3 rests and
    0.02 % of the lengths are longer than 8 s (0.2 % of the lengths as they sound under the pedal). On 12 steps in a
    quarter note of their nominal tempo: 10.4 ms and 16.5 ms.
    """

    unit = "ms"
    # A tick is a millisecond.
    ticks_per_quarter = 500

    def __init__(self, milliseconds: int) -> None:
        self.step = self.ticks = milliseconds
        self.steps = self.ticks_per_quarter // milliseconds

    def place(self, score: Score, notes: Notes) -> tuple[Notes, float]:
        """See `steps.on_clock`."""
        return steps.on_clock(notes, score, self.step)

    def timeline(self, score: Score, zero: float, moved: Moved | None) -> Timeline:
        """Its bars and tempi stand where they are by the clock."""
        return Timeline.by_clock(score, int(zero), moved=moved, step=1000 * self.step)

    def onto(self, timeline: Timeline, score: Score) -> Score:
        """Every note at its second, written in quarter notes of the tempo that holds there."""
        return timeline.onto_clock(score, step=1000 * self.step)

    def scale(self, first: int, longest: int) -> Scale:
        """Exact at first, then coarser and coarser."""
        return geometric(first, longest * 1000 // self.step, FINE)


def grid_of(option: int | str) -> Grid:
    """The grid of the option `grid`: 12, or "10ms"."""
    return Beats(option) if isinstance(option, int) else Milliseconds(int(option.removesuffix("ms")))
