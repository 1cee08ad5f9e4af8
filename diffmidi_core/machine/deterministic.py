"""`--deterministic`: kernels that give the same numbers each time, or none at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from diffmidi_core.errors import DiffmidiError

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
_NONE = re.compile(r"(\S+) does not have a deterministic implementation")


@contextmanager
def deterministic(asked: bool) -> Iterator[None]:
    """While it is entered, where `asked`: torch takes deterministic kernels and raises where an operation has none.

    cuBLAS needs a workspace that does not change, which it asks the environment for when it is first used: enter this
    before anything is computed on a GPU. cuDNN tries no kernels out.
    """
    if not asked:
        yield
        return
    os.environ.setdefault(CUBLAS, ":4096:8")
    before, tries = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = tries


def without_deterministic_kernel(error: Exception) -> DiffmidiError | None:
    """The sentence for what torch raises where an operation has no deterministic kernel; None for other errors."""
    if CUBLAS in str(error):
        return DiffmidiError(
            "--deterministic was asked for when cuBLAS had been used without it: set "
            f"{CUBLAS}=:4096:8 before Python starts."
        )
    found = _NONE.search(str(error))
    if found is None:
        return None
    return DiffmidiError(
        f"--deterministic was asked for, and torch has no deterministic kernel for '{found[1]}' on this device: leave "
        "it out (-o train.deterministic=false), or choose a process, a backbone or options that do without it."
    )
