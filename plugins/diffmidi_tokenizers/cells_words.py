"""The words of layout `cells`: which metres, tempi and tracks there are, and what each token says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.tokenizer import FIRST_BAR, INNER_BAR, LAST_BAR, Grammar, Role
from diffmidi_tokenizers.cells_tracks import KINDS
from diffmidi_tokenizers.grids import Grid
from diffmidi_tokenizers.layouts import PITCHES
from diffmidi_tokenizers.scale import Scale
from diffmidi_tokenizers.vocabulary import Block, Vocabulary

SPECIAL, BAR, JOINT, HELD, TRACK, COUNT, TIME, PITCH, VELOCITY, DURATION, TEMPO = range(11)
TYPES = ("special", "bar", "joint", "held", "track", "count", "time", "pitch", "velocity", "duration", "tempo")
"""The last is there only where bars have a tempo."""
PLAN = frozenset({"bar", "joint", "held", "track", "count", "tempo"})
ROLES: Mapping[str, Role] = {
    "bar": "bar",
    "tempo": "tempo",
    "track": "track",
    "count": "count",
    "time": "time",
    "pitch": "pitch",
    "velocity": "velocity",
    "duration": "duration",
}
LONGEST_BAR = 8
"""Quarter notes: 4/2. Longer bars are cadenzas, and are read in 4/4."""
NUMERATORS = {4: range(1, 9), 2: range(2, 5), 8: (*range(1, 16, 2), 6, 12), 16: range(1, 32, 2)}
"""By denominator, those first that say what a bar of some length is where nothing else does."""
PLACES = {"bar": INNER_BAR, "up": FIRST_BAR, "end": LAST_BAR}
"""What stands before a metre, and where in a piece its bar is."""
TEMPI = np.array([round(120 * 2 ** (k / 14)) for k in range(-28, 15)])
"""Quarter notes a minute: 30 to 240, 5 % apart, 120 among them."""

Column = NDArray[np.int64]
Signature = tuple[int, int]


def signatures_of(grid: int) -> tuple[Signature, ...]:
    """The metres whose bars are whole numbers of steps, `grid` of them in a quarter note."""
    return tuple(
        (numerator, denominator)
        for denominator, numerators in NUMERATORS.items()
        if 4 * grid % denominator == 0
        for numerator in numerators
    )


class CellWords(Vocabulary):
    """The vocabulary, and what its tokens say of bars.

    Attributes:
        signatures: the metres there are; none on a grid of milliseconds.
        lengths: [M] steps in a bar of each; on a grid of milliseconds [1], those of a frame.
        usual: the metre of a bar that says none.
        metred: whether there are metres and tempi.
        tracks: the track tokens, those of one kind after another.
        bar_kinds: [V] where in a piece the bar may stand that a token opens (see `Tokenizer.bar_kinds`).
        bar_steps: [V] how long it is.

    Args:
        frame: steps in a frame, where a step is no share of a quarter note.
        same: tracks of one kind that are told apart.
        most: notes in a cell at most.
    """

    def __init__(self, grid: Grid, durations: Scale, *, frame: int, velocities: int, same: int, most: int) -> None:
        self.metred = not grid.unit
        self.signatures = signatures_of(grid.steps) if self.metred else ()
        quarter = grid.steps
        self.usual = self.signatures.index((4, 4)) if self.metred else 0
        lengths = [4 * quarter * numerator // denominator for numerator, denominator in self.signatures]
        self.lengths = np.array(lengths or [frame])
        metres = [f"{numerator}/{denominator}" for numerator, denominator in self.signatures]
        opening = [place + metre for place in PLACES for metre in metres] or ["frame", "endframe"]
        self.tracks = tuple(f"{kind}{number or ''}" for kind in KINDS for number in (0, *range(2, same + 1)))
        times = np.arange(int(self.lengths.max()))
        every = [
            Block(BAR, opening),
            Block(JOINT, ["and"]),
            Block(HELD, ["q="]),
            Block(TRACK, self.tracks),
            Block(COUNT, [f"c{count}" for count in range(most + 1)]),
            Block(TIME, [f"t{time * grid.step}{grid.unit}" for time in times.tolist()], times),
            Block(PITCH, [f"p{pitch}" for pitch in PITCHES], PITCHES),
            Block(VELOCITY, [f"v{each}" for each in range(1, velocities + 1)], np.arange(1, velocities + 1)),
            Block(DURATION, [f"d{length}" for length in grid.written(durations)], durations.values),
        ]
        tempi = [Block(TEMPO, [f"q{qpm}" for qpm in TEMPI.tolist()], TEMPI)]
        super().__init__(every + tempi * self.metred)
        self.types = TYPES if self.metred else TYPES[:TEMPO]
        self.second = TEMPO if self.metred else HELD
        """The type behind a token that opens a bar."""
        places = [*PLACES.values()] if self.metred else [INNER_BAR, LAST_BAR]
        bars = self.type_of == BAR
        self.bar_kinds = np.zeros(len(self.words), dtype=np.int32)
        self.bar_kinds[bars] = np.repeat(places, len(self.lengths))
        self.bar_steps = np.zeros(len(self.words), dtype=np.int32)
        self.bar_steps[bars] = np.tile(self.lengths, len(places))
        # For every number of steps up to the longest bar the number of the metre that says it, or the next that is
        # longer. The first of those that say the same: 4/4, not 2/2.
        order = np.argsort(self.lengths, kind="stable")
        self.metre_of = order[np.searchsorted(self.lengths[order], np.arange(self.lengths.max() + 1))]

    def opening(self, metre: Column, kind: Column) -> NDArray[np.int32]:
        """[B] metres by their number and where in a piece each stands -> the tokens that open such bars."""
        place = np.array([0, 0, 1, 2] if self.metred else [0, 0, 0, 1])[kind]
        return self.of(BAR, place * len(self.lengths) + metre)

    def tempo_class(self, qpm: NDArray[np.float64]) -> Column:
        """[N] quarter notes a minute -> the number of the nearest tempo."""
        middles = np.sqrt(TEMPI[1:] * TEMPI[:-1].astype(np.float64))
        return np.searchsorted(middles, qpm)

    def grammar(self) -> Grammar:
        """A head opens a bar or a further cell of it; then as many notes as there are."""
        begin, opened, tempo, track, cell, time, pitch, velocity, joined = range(9)
        table = np.full((9, len(self.types)), -1)
        table[[begin, cell], BAR] = opened
        table[opened, self.second] = table[joined, HELD] = tempo
        table[tempo, TRACK] = track
        table[track, COUNT] = cell
        table[cell, [TIME, JOINT]] = time, joined
        table[time, PITCH] = pitch
        table[pitch, VELOCITY] = velocity
        table[velocity, DURATION] = cell
        return Grammar(self.types, self.type_of.astype(np.int64), table, (begin,), (cell,))
