"""`--precision`: what `auto` stands for, and how to compute in it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping

import torch

from diffmidi_core.errors import UsageError
from diffmidi_core.machine.ranks import on_cpu

GAIN = 1.3
"""bf16 must be this much faster than fp32 to be worth its rounding."""
HOPELESS = 10
"""A product that takes so many times as long as in fp32 is not timed again."""
BF16 = ("avx512_bf16", "amx_bf16", "avx_ne_convert")
"""What x86 processors have at least one of that multiply in bf16; others emulate it, a hundred times as slow."""


def resolve_precision(asked: str) -> str:
    """ "fp32", "bf16" or "fp16" for what was asked; `accelerate launch --mixed_precision` decides where it was used.

    A GPU is asked what it supports. A CPU without instructions for bf16 computes in fp32; one that has them is timed on
    one small product, since that does not tell whether the installed torch has a fast kernel for it.

    Raises UsageError for fp16 on a CPU, which has too little range there.
    """
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if "fp16" in (asked, launched if asked == "auto" else "") and on_cpu():
        raise UsageError("fp16 needs a GPU, and there is none here: choose --precision bf16, fp32 or auto.")
    if asked != "auto":
        return asked
    if launched in ("bf16", "fp16"):
        return launched
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if torch.backends.mps.is_available():
        return "fp32"
    if not _multiplies_in_bf16():
        return "fp32"
    fp32 = _matmul_seconds(torch.float32)
    return "bf16" if fp32 > GAIN * _matmul_seconds(torch.bfloat16, hopeless=HOPELESS * fp32) else "fp32"


def emulated(precision: str) -> str | None:
    """What to warn of where this machine computes in bf16 more slowly than in fp32; None where it does not."""
    if precision != "bf16":
        return None
    if torch.cuda.is_available():
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return None
    elif not on_cpu() or _matmul_seconds(torch.bfloat16) <= _matmul_seconds(torch.float32):
        return None
    return (
        "this machine has no bf16 of its own and emulates it, more slowly than it computes in fp32: "
        "--precision auto takes what is fastest."
    )


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Within it a model computes in "fp32", "bf16" or "fp16", as far as torch deems that safe."""
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def _multiplies_in_bf16() -> bool:
    """Whether this CPU may do so faster than by emulation, by what it says of itself."""
    known: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.11 does not tell
    return known.get("architecture") != "x86_64" or any(known.get(name) for name in BF16)


def _matmul_seconds(dtype: torch.dtype, size: int = 512, repeats: int = 5, hopeless: float = math.inf) -> float:
    """The best time of a product; the first one that takes longer than `hopeless` is the last."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(size, size, generator=generator).to(dtype)
    best = math.inf
    for _ in range(repeats):
        begun = time.perf_counter()
        a @ a
        seconds = time.perf_counter() - begun
        best = min(best, seconds)
        if seconds > hopeless:
            break
    return best
