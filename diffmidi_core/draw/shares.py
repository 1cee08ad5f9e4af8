"""Whole numbers shared out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def shared_out(total: int, weights: Sequence[float], least: int = 0) -> list[int]:
    """`total` in whole parts as these weights (largest remainder; even where all are 0), each `least` or more.

    Raises ValueError where the total is less than that.
    """
    rest = total - least * len(weights)
    if rest < 0:
        raise ValueError(f"{total} cannot be shared out among {len(weights)} that get {least} at least")
    wanted = np.asarray(weights, dtype=np.float64)
    wanted = wanted if wanted.sum() > 0 else np.ones(len(wanted))
    exact = np.maximum(total * wanted / wanted.sum() - least, 0)
    exact = exact * rest / exact.sum() if exact.sum() > 0 else np.full(len(wanted), rest / len(wanted))
    parts = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - parts), kind="stable")
    parts[order[: rest - int(parts.sum())]] += 1
    return [int(part) + least for part in parts]
