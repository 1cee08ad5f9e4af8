"""Parts of device.py that are measured in its own process: training steps, and what of sampling is not the network."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import torch
from training import best, made_up, matmul, our_step, parameters, seconds, synchronise

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.process import Process
from diffmidi_core.registry import find

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
FAMILIES = {"gaussian": "sqrt", "masked": "loglinear", "autoregressive": "loglinear"}
"""Processes, and the schedule of each."""
SHARES = {"confidence": "masked", "ancestral": "masked", "ddpm": "gaussian", "autoregressive": "autoregressive"}
"""Samplers, and the process of each."""
STEPS = 20
"""Reverse steps that are timed."""


def build(name: str, size: str, positions: int, device: str) -> Process:
    torch.manual_seed(0)
    process: Process = find("process", name).build(
        tokenizer=find("tokenizer", "mmm").build({"layout": "aligned"}),
        backbone=find("backbone", "bert").build({"size": size}, length=positions),
        schedule=find("schedule", FAMILIES[name]).build(),
    )
    return process.to(device)


def measure_training(
    name: str, precision: str, size: str, positions: int, batch: int, device: str, *, tiny: bool
) -> dict[str, Any]:
    """Tokens a second of whole steps, 6 * parameters * tokens as a share of a matrix product's rate, peak memory."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    process, dtype = build(name, size, positions, device), DTYPES[precision]
    step, made = our_step(process, dtype), made_up(batch, positions - 2, device)
    several, side = (1, 128) if tiny else (5, 8192)

    def steps() -> None:
        for _ in range(several):
            step(made)

    took = best({"step": steps, "matmul": matmul(dtype, device, side)}, 1 if tiny else 3)
    rate, count, tokens = 2 * side**3 / took["matmul"], parameters(process), batch * positions
    a_step = took["step"] / several
    return {
        "batch": batch,
        "parameters, M": count / 1e6,
        "ms a step": 1e3 * a_step,
        "tokens/s": tokens / a_step,
        "share of matmul": 6 * count * tokens / a_step / rate,
        "matmul, TFLOP/s": rate / 1e12,
        "peak, MiB": torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None,
    }


def measure_sampling(
    sampler: str, pieces: int, precision: str, size: str, positions: int, device: str, *, tiny: bool
) -> dict[str, Any]:
    """The time of a step, and the share of it that is not the network.

    The network's calls are kept and made again, one after the other, and what the sampling took longer than that is
    the share. On a CPU the times are CPU seconds. The best of several rounds is taken.
    """
    process = build(SHARES[sampler], size, positions, device).eval()
    predicts = "predict" if SHARES[sampler] == "autoregressive" else "denoise"
    network, calls = getattr(process, predicts), []
    how, words = find("sampler", sampler).build(), positions - 2
    steps = words if predicts == "predict" else 3 if tiny else STEPS

    def kept(*given: Any, **options: Any) -> Any:
        calls.append((given, options))
        return network(*given, **options)

    def sample(seed: int) -> None:
        canvas = Canvas.blank(pieces, words, device=device)
        how.sample(process, canvas, steps=steps, draws=RowDraws.seeded(seed, pieces, device))

    def again() -> None:
        for given, options in calls:
            network(*given, **options)

    clock = cpu_seconds if device == "cpu" else seconds
    autocast = torch.autocast(device, dtype=DTYPES[precision], enabled=precision != "fp32")
    with torch.inference_mode(), autocast:
        setattr(process, predicts, kept)
        sample(0)
        delattr(process, predicts)
        again()
        rounds = [(clock(lambda: sample(0)), clock(again)) for _ in range(1 if tiny else 3)]
    whole, inside = (min(times) for times in zip(*rounds, strict=True))
    return {
        "precision": precision,
        "steps": steps,
        "ms a step": 1e3 * whole / steps,
        "outside, ms a step": 1e3 * max(0.0, whole - inside) / steps,
        "outside the network, %": 100 * max(0.0, 1 - inside / whole),
        "pieces/s": pieces / whole,
    }


def cpu_seconds(work: Callable[[], object]) -> float:
    synchronise()
    begun = time.process_time()
    work()
    return time.process_time() - begun
