"""`--precision`: what `auto` stands for, and how to compute in it."""

from __future__ import annotations

import os
import time

import torch

from diffmidi_core.errors import UsageError
from diffmidi_core.machine.ranks import on_cpu

GAIN = 1.3
"""bf16 must be this much faster than fp32 to be worth its rounding."""


def resolve_precision(asked: str) -> str:
    """ "fp32", "bf16" or "fp16" for what was asked; `accelerate launch --mixed_precision` decides where it was used.

    A GPU is asked what it supports; a CPU is timed on one small product, since flags do not tell whether the installed
    torch has a fast kernel for it. Raises UsageError for fp16 on a CPU, which has too little range there.
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
    return "bf16" if _matmul_seconds(torch.float32) > GAIN * _matmul_seconds(torch.bfloat16) else "fp32"


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


def _matmul_seconds(dtype: torch.dtype, size: int = 512, repeats: int = 5) -> float:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(size, size, generator=generator).to(dtype)
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - begun)
    return min(times)
