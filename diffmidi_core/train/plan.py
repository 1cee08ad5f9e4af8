"""--minutes: how many iterations fit into so much time, settled once, before the first of them.

The speed is measured by iterations that are thrown away, so that a run of so many minutes is, to the last bit, the run
of as many iterations: its learning rate falls over what is trained, and it can be stopped, killed and resumed as any.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Protocol

from diffmidi_core.machine.memory import free
from diffmidi_core.machine.ranks import done_by_main
from diffmidi_core.machine.session import Session

WARM = 3
"""Iterations that do not count: the first ones allocate, and compile."""
SHARE, SECONDS = 0.04, 10.0
"""How much of the minutes the measuring takes at most, and how much time at any rate, once an iteration counts."""
DRAWING = 0.05
"""Share of the time that may go into pieces drawn while training goes on."""


class Trial(Protocol):
    """A training to measure by, whose work is thrown away."""

    @property
    def feed(self) -> AbstractContextManager[object]:
        """What makes its batches while it is entered."""

    def try_out(self) -> None:
        """Take an iteration, and wait until it is done."""

    def bounds(self) -> None:
        """Compute what a validation pass does."""


@dataclass(frozen=True)
class Plan:
    """What goes into run.json.

    Attributes:
        minutes: that were asked for.
        iterations: that fit.
        seconds_an_iteration, seconds_a_pass: as measured; the second of a validation pass.
    """

    minutes: float
    iterations: int
    seconds_an_iteration: float
    seconds_a_pass: float


def settle(session: Session, make: Callable[[], Trial]) -> None:
    """Give a session whose config has minutes, and whose run has no plan yet, the iterations that fit into them.

    All processes measure together, and the main one's clock decides for all. `make` makes a training that is not used
    for anything else.
    """
    minutes = session.config.train.minutes
    if minutes is None or session.folder.planned:
        return
    begun = time.monotonic()
    session.begin("plan", f"how many iterations fit into {minutes:g} minutes")
    scaler = session.accelerator.scaler
    scale = None if scaler is None else scaler.state_dict()
    trial = make()
    an_iteration, a_pass = _measured(session, trial, 60 * minutes)
    del trial
    session.accelerator.free_memory()
    free()
    if scaler is not None and scale is not None:
        scaler.load_state_dict(scale)
    left = 60 * minutes - (time.monotonic() - begun)
    config = session.config.train
    plan = done_by_main(
        lambda: _fitted(minutes, left, an_iteration, a_pass, config.evaluate_every, drawing=config.draw > 0)
    )
    session.end("plan", {"iterations": plan.iterations})
    session.plan = asdict(plan)
    session.changed = {**session.changed, "train.iterations": [config.iterations, plan.iterations]}
    train = config.model_copy(update={"iterations": plan.iterations})
    session.config = session.config.model_copy(update={"train": train})


def _measured(session: Session, trial: Trial, seconds: float) -> tuple[float, float]:
    """Seconds of an iteration, the median of those that count, and of a validation pass."""
    begun, taken = time.monotonic(), list[float]()

    def enough() -> bool:
        spent = time.monotonic() - begun
        return len(taken) > WARM and spent > min(SECONDS, SHARE * seconds)

    with trial.feed:
        while not done_by_main(enough):
            at = time.monotonic()
            trial.try_out()
            taken.append(time.monotonic() - at)
            session.hooks.emit("progress", what="trial iterations", done=len(taken), total=None)
        at = time.monotonic()
        trial.bounds()
        a_pass = time.monotonic() - at
    return median(taken[WARM:]), a_pass


def _fitted(minutes: float, left: float, an_iteration: float, a_pass: float, every: int, *, drawing: bool) -> Plan:
    """How many iterations fit into the seconds that are left, with a validation pass before the first of them and
    after `every` so many.
    """
    each = (an_iteration + a_pass / every) * (1 + DRAWING * drawing)
    iterations = max(1, int((left - a_pass) / each))
    return Plan(minutes, iterations, round(an_iteration, 4), round(a_pass, 2))
