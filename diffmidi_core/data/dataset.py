"""TokenDataset: the tokens of every piece, memory-mapped, cut into windows at note boundaries or whole bars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.augment import Augmentation
from diffmidi_core.data.cutting import WholeBars, cutting_for, width_of
from diffmidi_core.data.duplicates import mixed
from diffmidi_core.data.labels import Label
from diffmidi_core.data.prepare import TOKENS
from diffmidi_core.data.ragged import ArrowFile, Column, Ragged
from diffmidi_core.data.report import read_report
from diffmidi_core.data.split import HELDOUT, TEST, TRAIN
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.timeline import Timeline
from diffmidi_core.sections import BARS

BLOCK = 65_536
"""Pieces looked at together, so that what is held in passing stays small."""
SOME = 256
"""Windows that are looked at to know how long they are."""
TRIES = 1000
"""How often a window is drawn before it is taken for granted that there is none."""


@dataclass(frozen=True)
class Window:
    """A stretch of a piece: tokens start to end, both at boundaries (`Tokenizer.starts`).

    `draws` are the numbers that decide how augmentation varies it; without any, it is taken as it is.
    """

    piece: int
    start: int
    end: int
    draws: tuple[float, ...] = ()


class TokenDataset:
    """What `prepare` wrote, opened without reading it into memory.

    Attributes:
        folder: where it lies.
        train_pieces, heldout_pieces, test_pieces: the rows on each side of the split: what is trained on, what training
            is watched by, and what the trained model is judged by.

    Args:
        folder: where it lies.
        tokenizer: the one it was written with; another is refused.
        length: tokens in a window at most.
        bars: bars in a window at most, where the tokenizer has a plan of bars: windows then are whole bars.
        augment: how training windows are varied; None: not at all.
    """

    def __init__(
        self,
        folder: Path,
        tokenizer: Tokenizer,
        *,
        length: int,
        bars: int = BARS,
        augment: Augmentation | None = None,
    ) -> None:
        report = read_report(folder)
        self.report: dict[str, Any] = asdict(report)
        self.fingerprint = report.dataset_fingerprint
        if self.report["tokenizer"] != tokenizer.fingerprint:
            raise DiffmidiError(
                f"{folder} was prepared with another tokenizer or other options of it: begin a new run for these."
            )
        self.folder, self.augment = folder, augment
        self.length, self.bars, self.group = length, bars, tokenizer.group
        self._vocabulary = len(tokenizer.vocab)
        self._file = ArrowFile(folder / TOKENS)
        self._tokens, self._starts = Ragged(self._file, "ids"), Ragged(self._file, "starts")
        self._cutting = cutting_for(tokenizer, self._tokens, self._starts, length=length, bars=bars)
        sides = self._file.numbers("side")
        self.train_pieces, self.heldout_pieces, self.test_pieces = (
            np.flatnonzero(sides == side) for side in (TRAIN, HELDOUT, TEST)
        )

    def draw(self, count: int, *, seed: int, step: int, plain: bool = False) -> list[Window]:
        """`count` training windows, uniform over boundaries: a function of (seed, step) alone.

        Each is the longest that begins at its boundary (`data.cutting`). `plain` ones are not augmented.
        """
        total = int(self._choices_before[-1])
        if not total:
            raise DiffmidiError("there is nothing to train on: the only piece is held out. Add more music.")
        random = np.random.default_rng((seed, step))
        augment = None if plain else self.augment
        pieces, starts, ends = self._drawn(random.integers(total, size=count), augment)
        for _ in range(TRIES):
            none = np.flatnonzero(ends <= starts)
            if not len(none):
                break
            again = self._drawn(random.integers(total, size=len(none)), augment)
            pieces[none], starts[none], ends[none] = again
        else:
            raise DiffmidiError(
                f"the bars of this music have more than {self.length} tokens, so no window holds one: choose a larger "
                "--length."
            )
        draws = random.random((count, augment.draws if augment is not None else 0))
        return _windows(pieces, starts, ends, draws)

    def _drawn(self, choice: Column, augment: Augmentation | None) -> tuple[Column, Column, Column]:
        """Piece, start and end of the windows that begin at the chosen ones of all boundaries."""
        rows = np.searchsorted(self._choices_before, choice, side="right") - 1
        pieces, boundaries = self.train_pieces[rows], choice - self._choices_before[rows]
        if augment is not None:
            boundaries -= boundaries % augment.offset
        starts, ends = self._cutting.ends(pieces, boundaries)
        return pieces, starts, ends

    @cached_property
    def bars_left_out(self) -> int:
        """How many bars of the training pieces have more tokens than a window, and are in none."""
        return self._cutting.too_long(self.train_pieces) if isinstance(self._cutting, WholeBars) else 0

    def heldout(self, count: int | None = None) -> list[Window]:
        """Windows that tile the held-out pieces without overlap; the first `count` of them in an order by hash.

        The order is one of the music alone, so that every seed and every run on these data is measured on the same
        windows, and on most of them where files were added. Each begins at a boundary: of a note of more tokens than a
        window, the rest is in none.
        """
        return self._tiling(self.heldout_pieces, count)

    def test(self, count: int | None = None) -> list[Window]:
        """The same of the test pieces."""
        return self._tiling(self.test_pieces, count)

    def training(self, count: int | None = None) -> list[Window]:
        """The same of the pieces that are trained on."""
        return self._tiling(self.train_pieces, count)

    def tokens(self, window: Window) -> NDArray[np.int32]:
        """The ids of a window: a view of the file, or augmented."""
        tokens = self._checked(self._tokens[window.piece][window.start : window.end])
        if self.augment is None or not window.draws:
            return tokens
        augmented: NDArray[np.int32] = self.augment(tokens[None], np.array([window.draws]))[0]
        return augmented

    def fills(self, window: Window, share: float) -> bool:
        """Whether a window is, but for that share, as long as one can be: in tokens, or in bars."""
        if window.end - window.start >= share * self.length:
            return True
        if not isinstance(self._cutting, WholeBars):
            return False
        boundaries = self._starts[window.piece]
        inside = np.count_nonzero((boundaries >= window.start) & (boundaries < window.end))
        return bool(inside >= share * self.bars)

    def piece(self, piece: int | np.integer) -> NDArray[np.int32]:
        """The ids of a whole piece, a view of the file."""
        return self._checked(self._tokens[piece])

    def tokens_of_pieces(self) -> Column:
        """[P] how many tokens each training piece has."""
        return self._tokens.lengths(self.train_pieces)

    @cached_property
    def tokens_in_a_window(self) -> float:
        """The mean over some windows of whole bars; elsewhere nearly all are full, and it is their length."""
        if not isinstance(self._cutting, WholeBars):
            return float(self.length)
        drawn = self.draw(SOME, seed=0, step=0, plain=True)
        return sum(window.end - window.start for window in drawn) / SOME

    def bars_of_pieces(self) -> Column:
        """[P] how many bars each training piece has; empty where tokens have no plan of them."""
        bars = self._starts.lengths(self.train_pieces)
        return bars if isinstance(self._cutting, WholeBars) else bars[:0]

    def first_bar(self, piece: int | np.integer) -> NDArray[np.int32]:
        """The ids of a piece up to its second boundary."""
        return self.piece(piece)[: [*self._starts[piece][1:2].tolist(), None][0]]

    def name(self, piece: int | np.integer) -> str:
        """What the source calls a piece."""
        return str(self._file.value("id", int(piece)))

    def labels(self, piece: int | np.integer) -> dict[str, Label]:
        """What is known of a piece, by name: text and numbers; `report["labels"]` says what there is."""
        try:
            labels: dict[str, Label] = dict(json.loads(self._file.value("labels", int(piece))))
        except (ValueError, TypeError, RecursionError):
            raise self._file.damaged("labels") from None
        return labels

    def timeline(self, piece: int | np.integer) -> Timeline:
        """What the ids of a piece do not carry; `Tokenizer.decode` takes it."""
        try:
            return Timeline.from_json(self._file.value("timeline", int(piece)))
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise self._file.damaged("timeline") from None

    def batch(self, windows: Sequence[Window], *, longest: int | None = None) -> Batch:
        """[CLS] tokens [SEP] and [PAD] to the end of the longest row, rounded up to a few widths (`width_of`).

        `longest` is the largest number of tokens in a window of all that the batch is a part of, such as a step's:
        rows are then as wide in each part, which is why their noise is the same however the whole is cut.
        """
        pieces, starts, ends = np.array(
            [(window.piece, window.start, window.end) for window in windows], dtype=np.int64
        ).T
        longest = int((ends - starts).max()) if longest is None else longest
        width = width_of(longest, group=self.group, length=self.length)
        counts, place = ends - starts, np.arange(width)
        if len(counts) and not 0 <= counts.min() <= counts.max() <= self.length:
            raise self._file.damaged("starts")
        first = self._tokens.bounds(pieces)[0] + starts
        # Past the end of a short window stands something else, or nothing; it is not taken.
        tokens = self._tokens.flat.take(first[:, None] + place, mode="clip")
        ids = np.full((len(windows), width + 2), Tokenizer.pad_id, dtype=np.int64)
        ids[:, 0] = Tokenizer.cls_id
        np.copyto(ids[:, 1:-1], tokens, where=place < counts[:, None])
        self._checked(ids)
        ids[np.arange(len(windows)), counts + 1] = Tokenizer.sep_id
        varied = [row for row, window in enumerate(windows) if window.draws]
        if self.augment is not None and varied:
            ids[varied] = self.augment(ids[varied], np.array([windows[row].draws for row in varied]))
        whole = bool((counts == width).all())
        mask = None if whole else torch.from_numpy(np.arange(width + 2) < counts[:, None] + 2)
        return Batch(torch.from_numpy(ids), mask, torch.from_numpy(counts))

    def _checked(self, ids: NDArray[Any]) -> NDArray[Any]:
        """The same ids. Raises DiffmidiError where one is no token's: the file is not as it was written."""
        if ids.size and not 0 <= ids.min() <= ids.max() < self._vocabulary:
            raise self._file.damaged("ids")
        return ids

    @cached_property
    def _choices_before(self) -> Column:
        """[P + 1] over the training pieces: how many boundaries before each may begin a window."""
        before = np.zeros(len(self.train_pieces) + 1, dtype=np.int64)
        for begin in range(0, len(self.train_pieces), BLOCK):
            pieces = self.train_pieces[begin : begin + BLOCK]
            before[begin + 1 : begin + 1 + len(pieces)] = self._cutting.choices(pieces)
        return before.cumsum(out=before)

    def _tiling(self, pieces: Column, count: int | None) -> list[Window]:
        """The first `count` windows that tile these pieces, in the order of a hash of the notes and the start."""
        pieces, starts, ends = self._cutting.tiles(pieces)
        notes = self._file.hashes("notes_hash")[pieces, 0]
        order = np.argsort(mixed(notes ^ mixed(starts.astype(np.uint64) + np.uint64(1))), kind="stable")[:count]
        return _windows(pieces[order], starts[order], ends[order])


def _windows(pieces: Column, starts: Column, ends: Column, draws: NDArray[np.float64] | None = None) -> list[Window]:
    decided = [()] * len(pieces) if draws is None else map(tuple, draws.tolist())
    columns = zip(pieces.tolist(), starts.tolist(), ends.tolist(), decided, strict=True)
    return [Window(*fields) for fields in columns]
