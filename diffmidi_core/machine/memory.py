"""Memory: how much this process has taken at most, and going on in smaller pieces where it does not suffice."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TypeVar

import torch

from diffmidi_core.errors import DiffmidiError

T = TypeVar("T")


def peak_memory_mb(device: torch.device) -> float | None:
    """MiB: of GPU memory that torch held on a CUDA device, else of the whole process; None where no system tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, the others KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def out_of_memory(error: Exception) -> bool:
    """Whether a smaller batch may do: neither torch nor the system had room for this one."""
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or should_reduce_batch_size(error)


def free() -> None:
    """Give back what a failed attempt still held. To be called outside of its `except`, whose error holds tensors."""
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)


def out_of_room(what: str) -> DiffmidiError:
    """Not even one row fits."""
    return DiffmidiError(
        f"memory does not hold a single {what}: choose a smaller --length or a smaller model (-o backbone.size=small)."
    )


class Halves:
    """Work on batches that memory may not hold: one that is too large is done in halves, and so are later ones.

    Args:
        what: what a row is, for messages ("window", "piece").
        warn: told once whenever the largest batch that is tried shrinks.
    """

    def __init__(self, what: str, warn: Callable[[str], None]) -> None:
        self.what, self._warn = what, warn
        self.largest = math.inf

    def __call__(self, rows: int, work: Callable[[int, int, tuple[int, ...]], list[T]]) -> list[T]:
        """What `work(begin, end, path)` returns for all rows together.

        `path` tells which half of which half it is, () for the whole: randomness that follows from it is the same
        whenever the batch has to be cut.
        """
        return self._between(0, rows, (), work)

    def _between(
        self, begin: int, end: int, path: tuple[int, ...], work: Callable[[int, int, tuple[int, ...]], list[T]]
    ) -> list[T]:
        rows = end - begin
        if rows <= self.largest:
            try:
                return work(begin, end, path)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            free()
            if rows == 1:
                raise out_of_room(self.what)
            self.largest = (rows + 1) // 2
            self._warn(f"out of memory with {rows} {self.what}s at once: going on with {self.largest} at most.")
        middle = (begin + end + 1) // 2
        return [*self._between(begin, middle, (*path, 0), work), *self._between(middle, end, (*path, 1), work)]
