"""Overfitting: seen in the curves of the bound on training and on held-out music, and acted on by patience.

Light: reports and comparisons read finished runs with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

HELDOUT, TRAIN = "heldout/bound_bpw", "train/bound_bpw"
"""The two curves in metrics.jsonl, bits per token: the same noise on as many windows, the same ones in every
validation pass."""
ERROR = f"{HELDOUT}_error"
"""The standard error of the first, by the windows it is over. Between two passes on the same windows it is smaller."""
FEWEST = 5
"""Validation passes below which no curve is judged: its noise could not be told from its shape."""


@dataclass
class Best:
    """The best validation pass so far, as training goes and as a checkpoint's manifest keeps it.

    Attributes:
        step: the iteration of the lowest held-out bound; None before the first pass after training began.
        bound: that bound, bits per token.
        looks_since: validation passes that did not lower it.
        error: the standard error of that bound; None where one window is all there is.
    """

    step: int | None = None
    bound: float = math.inf
    looks_since: int = 0
    error: float | None = None

    def update(self, step: int, bound: float, error: float | None = None) -> bool:
        """Count a validation pass; whether it is the best so far. The untrained model, step 0, is no candidate."""
        if step == 0:
            return False
        if bound < self.bound:
            self.step, self.bound, self.looks_since, self.error = step, bound, 0, error
            return True
        self.looks_since += 1
        return False

    def exhausted(self, patience: int) -> bool:
        """Whether `patience` validation passes (0: any number) have gone by without a better one."""
        return 0 < patience <= self.looks_since

    def state(self) -> dict[str, Any] | None:
        """What a manifest keeps; None where there was no pass."""
        if self.step is None:
            return None
        return {"step": self.step, "bound_bpw": self.bound, "looks_since": self.looks_since, "error": self.error}

    @classmethod
    def of(cls, state: Mapping[str, Any] | None) -> Best:
        """From what a manifest keeps."""
        if not state:
            return cls()
        return cls(int(state["step"]), float(state["bound_bpw"]), int(state["looks_since"]), state["error"])


def overfits_from(log: Sequence[Mapping[str, float]]) -> int | None:
    """The iteration where the training and the held-out curve part; None where they do not, or too little is known.

    It is the pass s with the lowest held-out bound, provided that the last pass lies above it by more than noise makes,
    while its training bound lies below that of s. (Both rising is a run that breaks, not one that overfits.)

    The noise σ of a pass is 1.4826 · median |b[i−1] − 2 b[i] + b[i+1]| / √6 over the held-out bounds b round s, as many
    passes before it as after: the second difference of independent noise of variance σ² has variance 6σ², and no steady
    slope is in it. Noise makes σ (√(2 ln n) + 3): the lowest of n passes with one bound lies about σ √(2 ln n) below
    it (the largest of n normals), and the last one is noisy too.

    Args:
        log: lines of metrics.jsonl; those without both bounds are passed over, and so is the untrained model.
    """
    passes = [line for line in log if HELDOUT in line and TRAIN in line and line["step"] > 0]
    heldout = [line[HELDOUT] for line in passes]
    if len(passes) < FEWEST or not all(map(math.isfinite, heldout)):
        return None
    lowest = min(range(len(passes)), key=heldout.__getitem__)
    # Farther back the curve itself bends more than noise does.
    near = heldout[max(0, min(2 * lowest - len(passes) + 1, len(passes) - FEWEST)) :]
    bends = [abs(a - 2 * b + c) for a, b, c in zip(near, near[1:], near[2:], strict=False)]
    noise = 1.4826 * median(bends) / math.sqrt(6)
    rose = heldout[-1] - heldout[lowest] > noise * (math.sqrt(2 * math.log(len(passes))) + 3)
    return int(passes[lowest]["step"]) if rose and passes[-1][TRAIN] < passes[lowest][TRAIN] else None
