"""Feed: the batches of a training, made by a thread while the steps before them are computed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Self

from diffmidi_core.contracts.batch import Batch, Share
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.data.given_notes import GivenNotes
from diffmidi_core.data.told import Told
from diffmidi_core.machine.seeds import seed_for

AHEAD = 2
"""Steps whose batches are made before they are asked for."""


class Feed:
    """One process's rows of every step: a function of (seed, step) alone, however many steps were made before.

    Args:
        dataset: where they come from.
        seed: the run's.
        rows: rows a step and process.
        rank: which process this is, of `ranks`.
        pin: put them in page-locked memory, for a GPU.
        told: what tells the labels of windows; None: none are.
        kept: what writes some of them with notes that are kept; None: none are.
    """

    def __init__(
        self,
        dataset: TokenDataset,
        *,
        seed: int,
        rows: int,
        rank: int = 0,
        ranks: int = 1,
        pin: bool = False,
        told: Told | None = None,
        kept: GivenNotes | None = None,
    ) -> None:
        self.told, self.kept = told, kept
        self.dataset, self.seed, self.rows, self.rank, self.ranks, self.pin = dataset, seed, rows, rank, ranks, pin
        self.waited = 0.0
        """Seconds spent waiting for a batch; whoever reads it may set it back."""
        self._thread: ThreadPoolExecutor | None = None
        self._coming: deque[tuple[int, Future[Batch]]] = deque()

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feed")
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        self._thread = None
        self._coming.clear()

    @property
    def tokens_a_step(self) -> int:
        """Of all processes, where windows are as long as they are on the mean."""
        return round(self.rows * self.ranks * self.dataset.tokens_in_a_window)

    def windows(self, step: int) -> list[Window]:
        """The windows of all processes."""
        return self.dataset.draw(self.rows * self.ranks, seed=seed_for(self.seed, "windows"), step=step)

    def batch(self, step: int) -> Batch:
        """The batch of a step on the host; while the feed is entered, those of the steps after it are begun."""
        if self._thread is None:
            return self._made(step)
        if not (self._coming and self._coming[0][0] == step):
            self._coming.clear()
        for later in range(step + len(self._coming), step + 1 + AHEAD):
            self._coming.append((later, self._thread.submit(self._made, later)))
        begun = time.perf_counter()
        batch = self._coming.popleft()[1].result()
        self.waited += time.perf_counter() - begun
        return batch

    def _made(self, step: int) -> Batch:
        windows = self.windows(step)
        first = self.rank * self.rows
        share = _share(windows, first, self.ranks)
        longest = max(window.end - window.start for window in windows)
        own = slice(first, first + self.rows)
        batch = replace(self.dataset.batch(windows[own], longest=longest), share=share)
        if self.told is not None:
            numbers = self.told.draws(len(windows), seed=seed_for(self.seed, "labels"), step=step)
            batch = replace(batch, condition=self.told.condition(batch, windows[own], numbers[own]))
        if self.kept is not None:
            batch = self.kept.of(batch, self.kept.draws(len(windows), seed=seed_for(self.seed, "kept"), step=step)[own])
        return batch.pinned() if self.pin else batch


def _share(windows: Sequence[Window], first: int, parts: int) -> Share:
    tokens = sum(window.end - window.start for window in windows)
    return Share(first, parts=parts, rows=len(windows), positions=tokens + 2 * len(windows), tokens=tokens)
