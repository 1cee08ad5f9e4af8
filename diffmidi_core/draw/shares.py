"""Whole numbers shared out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def shared_out(total: int, weights: Sequence[float], *, least: int = 0, most: int | None = None) -> list[int]:
    """`total` in whole parts, each from `least` to `most`, as near as may be in proportion to these weights;
    evenly where all are 0.

    Raises ValueError where so much cannot be shared out so.
    """
    count = len(weights)
    most = total if most is None else most
    if not least * count <= total <= most * count:
        raise ValueError(f"{total} cannot be {count} parts of {least} to {most}")
    wanted = np.asarray(weights, dtype=np.float64)
    wanted = wanted if wanted.sum() > 0 else np.ones(count)
    parts = np.floor(total * wanted / wanted.sum() + 1e-9).astype(np.int64).clip(least, most)
    wanted = np.maximum(wanted, 1e-12 * wanted.sum())
    while missing := total - int(parts.sum()):
        # By highest averages (Sainte-Laguë), so that those without a weight come last.
        if missing > 0:
            parts[np.where(parts < most, (parts + 0.5) / wanted, np.inf).argmin()] += 1
        else:
            parts[np.where(parts > least, (parts - 0.5) / wanted, -np.inf).argmax()] -= 1
    return [int(part) for part in parts]
