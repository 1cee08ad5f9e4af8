"""How fast a training step and a reverse step are, as shares of what this machine can do, all in one run.

    python benchmarks/training.py [--backbone bert electra] [--batch 32] [--length 128]

For fp32 and bf16 it measures, in turn so that a drifting machine touches all alike: the rate of a large matrix product,
a whole training step of ours (loss, backward, clipping, AdamW, moving average), and a plain transformers loop (the same
encoder, mean squared error, AdamW). Rates count 6 * parameters * tokens for training, and 2 * parameters * tokens for a
forward pass. The best of several rounds is taken: what else the machine did only ever adds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from transformers import BertConfig, BertModel

from diffmidi_core.config import TrainConfig
from diffmidi_core.contracts.batch import Batch, Canvas
from diffmidi_core.engine.optimiser import Ema, make_optimiser
from diffmidi_core.registry import find

ROUNDS = 8


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def best(works: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
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


def our_step(
    backbone: str, batch: Batch, dtype: torch.dtype, device: str, length: int
) -> tuple[Callable[[], object], int]:
    tokenizer = find("tokenizer", "mmm").build()
    process = find("process", "gaussian").build(
        tokenizer=tokenizer,
        backbone=find("backbone", backbone).build(length=length + 2),
        schedule=find("schedule", "sqrt").build(),
    )
    process.to(device)
    optimiser, ema = make_optimiser(process, TrainConfig()), Ema(process)
    generator = torch.Generator(device).manual_seed(0)

    def step() -> None:
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            losses = process(batch, generator)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(process.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        ema.update(process, 0.999)

    return step, sum(each.numel() for each in process.parameters())


def plain_step(batch: Batch, dtype: torch.dtype, device: str) -> tuple[Callable[[], object], int]:
    model = BertModel(
        BertConfig(vocab_size=320, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024),
        add_pooling_layer=False,
    ).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step() -> None:
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            loss = model(input_ids=batch.ids).last_hidden_state.float().pow(2).mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step, sum(each.numel() for each in model.encoder.parameters())


def sampling(
    backbone: str, dtype: torch.dtype, device: str, length: int, count: int, steps: int
) -> tuple[float, float, int]:
    """Seconds of a whole sampling, seconds of it spent in the backbone, and the parameters of the backbone."""
    tokenizer = find("tokenizer", "mmm").build()
    body = find("backbone", backbone).build(length=length + 2)
    process = find("process", "gaussian").build(
        tokenizer=tokenizer, backbone=body, schedule=find("schedule", "sqrt").build()
    )
    process.to(device).eval()
    inside = 0.0

    def timed(forward: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def call(*args: object) -> torch.Tensor:
            nonlocal inside
            begun = time.perf_counter()
            result = forward(*args)
            inside += time.perf_counter() - begun
            return result

        return call

    body.forward = timed(body.forward)  # type: ignore[method-assign]
    sampler = find("sampler", "ddpm").build()
    generator = torch.Generator(device).manual_seed(0)
    canvas = Canvas.blank(count, length, device=device)
    with torch.inference_mode(), torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
        sampler.sample(process, canvas, steps=3, generator=generator)
        inside = 0.0
        begun = time.perf_counter()
        sampler.sample(process, canvas, steps=steps, generator=generator)
        total = time.perf_counter() - begun
    return total, inside, sum(each.numel() for each in body.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", nargs="+", default=["bert"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--matmul", type=int, default=1024)
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    ids = torch.randint(4, 300, (given.batch, given.length + 2), device=device)
    batch = Batch(ids, None, torch.full((given.batch,), given.length, device=device))
    tokens = ids.numel()
    table = Table(title=f"{device}, {torch.get_num_threads()} threads, batch {given.batch} x {given.length + 2}")
    for heading in ("precision", "what", "ms", "tokens/s", "GFLOP/s", "share of matmul"):
        table.add_column(heading, justify="right")
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        steps = {f"our step, {each}": our_step(each, batch, dtype, device, given.length) for each in given.backbone}
        steps["plain transformers step, bert"] = plain_step(batch, dtype, device)
        took = best(
            {"matmul": matmul(dtype, device, given.matmul), **{what: step for what, (step, _) in steps.items()}}
        )
        peak = 2 * given.matmul**3 / took["matmul"]
        table.add_row(name, f"matmul {given.matmul}", f"{took['matmul'] * 1e3:.1f}", "", f"{peak / 1e9:.0f}", "1.00")
        for what, (_, count) in steps.items():
            rate = 6 * count * tokens / took[what]
            table.add_row(
                name,
                f"{what} ({count / 1e6:.1f} M parameters)",
                f"{took[what] * 1e3:.0f}",
                f"{tokens / took[what]:,.0f}",
                f"{rate / 1e9:.0f}",
                f"{rate / peak:.2f}",
            )
        for each in given.backbone:
            total, inside, body = sampling(each, dtype, device, given.length, 8, 40)
            rate = 2 * body * 8 * (given.length + 2) * 40 / total
            table.add_row(
                name,
                f"ddpm, {each}, 8 x 40 steps ({100 * (1 - inside / total):.1f} % outside the backbone)",
                f"{total * 1e3:.0f}",
                f"{8 * (given.length + 2) * 40 / total:,.0f}",
                f"{rate / 1e9:.0f}",
                f"{rate / peak:.2f}",
            )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
