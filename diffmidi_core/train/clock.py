"""Clock: how fast training goes."""

from __future__ import annotations

import time

from diffmidi_core.train.feed import Feed


class Clock:
    """Iterations per second since it was last restarted, so that validation passes do not count.

    And the share of that time that the loop waited for batches.
    """

    def __init__(self, step: int, feed: Feed) -> None:
        self.feed = feed
        self.restart(step)

    def restart(self, step: int) -> None:
        """Count from this step on."""
        self.step, self.begun, self.feed.waited = step, time.perf_counter(), 0.0

    def read(self, step: int) -> dict[str, float]:
        """Figures for the log; none where no time has gone by."""
        elapsed = time.perf_counter() - self.begun
        if step == self.step or elapsed <= 0:
            return {}
        return {"steps_per_second": (step - self.step) / elapsed, "wait_share": self.feed.waited / elapsed}
