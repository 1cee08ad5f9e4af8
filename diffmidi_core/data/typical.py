"""The median tempo and the commonest metre of training music, for pieces that are made from nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diffmidi_core.data.ragged import numbers

NO_METRE = ""


@dataclass
class TypicalSummary:
    """What the columns `qpm` and `metre` of shards hold, piece by piece."""

    _tempos: list[NDArray[np.float64]] = field(default_factory=list)
    _metres: Counter[str] = field(default_factory=Counter)

    def add(self, qpm: pa.Array, metre: pa.Array, wanted: NDArray[np.bool_]) -> None:
        """The `wanted` of some pieces; tempi are NaN, metres "" where a piece names none."""
        tempos = numbers(qpm)
        self._tempos.append(tempos[wanted & ~np.isnan(tempos)])
        self._metres.update(name for name, of in zip(metre.to_pylist(), wanted.tolist(), strict=True) if of and name)

    def as_dict(self) -> dict[str, Any]:
        """`tempo`, in quarter notes a minute, and `metre` as a pair; what no piece names is left out."""
        tempos = np.concatenate([*self._tempos, np.zeros(0)])
        told: dict[str, Any] = {"tempo": round(float(np.median(tempos)), 3)} if len(tempos) else {}
        if self._metres:
            # Of metres as common as each other the first by name, so that the order of pieces decides nothing.
            name = min(self._metres, key=lambda metre: (-self._metres[metre], metre))
            told["metre"] = [int(number) for number in name.split("/")]
        return told
