"""How fast a training step and a reverse step are, as shares of what this machine can do, all in one run.

    python benchmarks/training.py [--backbone bert electra] [--process masked gaussian] [--batch 32] [--compile]
    python benchmarks/training.py --device cuda --size base --precision bf16 --batch 64 --length 128 1022 --compile

For each precision it measures, in turn so that a drifting machine touches all alike: the rate of a large matrix
product, a whole training step of ours (loss, backward, clipping, AdamW, moving average; with --compile, compiled or
not), and a plain transformers loop (the same encoder, mean squared error, AdamW); then the sampler that goes with each
process. Processes are the default run's and the paper's. Rates count 6 * parameters * tokens for training, and
2 * parameters * tokens for a forward pass. The best of several rounds is taken: what else the machine did only adds.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `diffmidi` has it

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from transformers import BertConfig, BertModel

from diffmidi_core.config import TrainConfig
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.process import Process
from diffmidi_core.registry import find
from diffmidi_core.train.optimiser import Ema, make_optimiser

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(work: Callable[[], object]) -> float:
    synchronise()
    begun = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - begun


def best(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The best time of each, measured in turn after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            took = seconds(work)
            if number:
                times[name].append(took)
    return {name: min(each) for name, each in times.items()}


def matmul(dtype: torch.dtype, device: str, size: int) -> Callable[[], object]:
    a = torch.randn(size, size, device=device).to(dtype)
    return lambda: a @ a


def made_up(rows: int, length: int, device: str) -> Batch:
    """Rows of `length` words between [CLS] and [SEP]; what the words are does not matter to the time."""
    ids = torch.randint(4, 300, (rows, length + 2), generator=torch.Generator().manual_seed(0)).to(device)
    return Batch(ids, None, torch.full((rows,), length, device=device))


def goes_with(process: str, kind: str) -> str:
    """The sampler or schedule that a process is used with unless another is chosen."""
    return str(find("process", process).process().goes_with[kind])


def build_process(backbone: str, size: str, length: int, device: str, name: str = "masked") -> Process:
    torch.manual_seed(0)
    process: Process = find("process", name).build(
        tokenizer=find("tokenizer", "mmm").build({"layout": "aligned"}),
        backbone=find("backbone", backbone).build({"size": size}, length=length + 2),
        schedule=find("schedule", goes_with(name, "schedule")).build(),
    )
    return process.to(device)


def our_step(
    process: Process,
    dtype: torch.dtype,
    wrapped: Callable[[Process], nn.Module] = lambda process: process,
) -> Callable[[Batch], object]:
    """A step as the training loop takes it, on the process or on what it is `wrapped` in."""
    device = next(process.parameters()).device.type
    model, optimiser, ema = wrapped(process), make_optimiser(process, TrainConfig()), Ema(process)
    generator = torch.Generator(device).manual_seed(0)

    def step(batch: Batch) -> None:
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            losses = model(batch, generator)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(process.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        ema.update(process, 0.999)

    return step


def parameters(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


def plain_step(batch: Batch, dtype: torch.dtype, size: str) -> tuple[Callable[[], object], int]:
    device, given = batch.ids.device.type, find("backbone", "bert").options({"size": size})
    config = BertConfig(
        vocab_size=320,
        hidden_size=given.width,
        num_hidden_layers=given.layers,
        num_attention_heads=given.heads,
        intermediate_size=given.feed_forward,
        max_position_embeddings=batch.ids.shape[1],
    )
    model = BertModel(config, add_pooling_layer=False).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step() -> None:
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            loss = model(input_ids=batch.ids).last_hidden_state.float().pow(2).mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step, parameters(model.encoder)


def sampling(
    process: Process, dtype: torch.dtype, length: int, count: int, steps: int, by: str = "confidence"
) -> tuple[float, float]:
    """Seconds of a whole sampling by the sampler `by`, and seconds of it spent in the backbone."""
    body, device, inside = process.backbone, next(process.parameters()).device.type, 0.0
    process.eval()

    def timed(forward: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def call(*args: object) -> torch.Tensor:
            nonlocal inside
            synchronise()
            begun = time.perf_counter()
            result = forward(*args)
            synchronise()
            inside += time.perf_counter() - begun
            return result

        return call

    plain, body.forward = body.forward, timed(body.forward)  # type: ignore[method-assign]
    sampler = find("sampler", by).build()
    draws = RowDraws.seeded(0, count, device)
    canvas = Canvas.blank(count, length, device=device)
    with torch.inference_mode(), torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
        sampler.sample(process, canvas, steps=3, draws=draws)
        inside = 0.0
        total = seconds(lambda: sampler.sample(process, canvas, steps=steps, draws=draws))
    body.forward = plain  # type: ignore[method-assign]
    return total, inside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", nargs="+", default=["bert"])
    parser.add_argument("--process", nargs="+", default=["masked", "gaussian"])
    parser.add_argument("--size", default="small", choices=["tiny", "small", "base"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, nargs="+", default=[128], help="words; [CLS] and [SEP] come on top")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=list(DTYPES))
    parser.add_argument("--compile", action="store_true", help="measure our step compiled, too")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--matmul", type=int, help="size of the matrix product (1024, on a GPU 8192)")
    given = parser.parse_args()
    size = given.matmul or (1024 if given.device == "cpu" else 8192)
    for length in given.length:
        batch = made_up(given.batch, length, given.device)
        where = f"{torch.get_num_threads()} threads" if given.device == "cpu" else torch.cuda.get_device_name()
        table = Table(title=f"{given.device}, {where}, size {given.size}, batch {given.batch} x {length + 2}")
        for heading in ("precision", "what", "ms", "tokens/s", "GFLOP/s", "share of matmul"):
            table.add_column(heading, justify="right")
        for precision in given.precision:
            measure(table, given, precision, batch, size)
        Console(width=150).print(table)


def measure(table: Table, given: argparse.Namespace, precision: str, batch: Batch, size: int) -> None:
    dtype, tokens, length = DTYPES[precision], batch.ids.numel(), batch.ids.shape[1] - 2
    kinds = [(name, backbone) for name in given.process for backbone in given.backbone]
    processes = {
        f"{name}, {backbone}": build_process(backbone, given.size, length, given.device, name)
        for name, backbone in kinds
    }
    steps = {f"our step, {each}": (our_step(process, dtype), process) for each, process in processes.items()}
    if given.compile:
        for name, backbone in kinds:
            process = build_process(backbone, given.size, length, given.device, name)
            process.backbone.compile()
            steps[f"our step, {name}, {backbone}, compiled"] = our_step(process, dtype), process
    counts = {what: parameters(process) for what, (_, process) in steps.items()}
    works: dict[str, Callable[[], object]] = {what: partial(step, batch) for what, (step, _) in steps.items()}
    plain = "plain transformers step, bert"
    works[plain], counts[plain] = plain_step(batch, dtype, given.size)
    took = best({"matmul": matmul(dtype, given.device, size), **works}, given.rounds)
    peak = 2 * size**3 / took["matmul"]

    def row(what: str, seconds: float, operations: float, tokens: int) -> None:
        rate = operations / seconds
        said = f"{tokens / seconds:,.0f}" if tokens else ""
        table.add_row(precision, what, f"{seconds * 1e3:.1f}", said, f"{rate / 1e9:.0f}", f"{rate / peak:.2f}")

    row(f"matmul {size}", took["matmul"], 2 * size**3, 0)
    for what, count in counts.items():
        row(f"{what} ({count / 1e6:.1f} M parameters)", took[what], 6 * count * tokens, tokens)
    for (name, _), (each, process) in zip(kinds, processes.items(), strict=True):
        by = goes_with(name, "sampler")
        total, inside = sampling(process, dtype, length, 8, 40, by)
        done = 8 * (length + 2) * 40
        outside = f"{100 * (1 - inside / total):.1f} % outside the backbone"
        row(f"{by}, {each}, 8 x 40 steps ({outside})", total, 2 * parameters(process.backbone) * done, done)


if __name__ == "__main__":
    main()
