"""How much of the machine sampling uses, against how many pieces are drawn together.

    python benchmarks/sampling.py [--backbone bert] [--size small] [--length 128] [--pieces 1 2 4 8 16 32]
                                  [--process masked]

Reverse steps of the sampler that goes with the process (of the default run: `confidence`) in each precision, the
numbers of pieces in turn, beside the rate of a large matrix product in the same round; 2 * parameters of the backbone
* tokens count as its work. The best of several rounds is taken.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `diffmidi` has it

import torch
from rich.console import Console
from rich.table import Table
from training import DTYPES, build_process, goes_with, matmul, parameters, sampling, seconds

STEPS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="bert")
    parser.add_argument("--process", default="masked")
    parser.add_argument("--size", default="small", choices=["tiny", "small", "base"])
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--pieces", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=list(DTYPES))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    size = 1024 if given.device == "cpu" else 8192
    by = goes_with(given.process, "sampler")
    table = Table(title=f"{by}, {given.backbone} {given.size}, {given.length + 2} positions, {given.device}")
    for heading in (
        "precision",
        "pieces",
        "ms a step",
        "pieces/min at 200 steps",
        "outside backbone",
        "share of matmul",
    ):
        table.add_column(heading, justify="right")
    process = build_process(given.backbone, given.size, given.length, given.device, given.process)
    count = parameters(process.backbone)
    for precision in given.precision:
        dtype = DTYPES[precision]
        product = matmul(dtype, given.device, size)
        product()
        products: list[float] = []
        found: dict[int, list[tuple[float, float]]] = {pieces: [] for pieces in given.pieces}
        for _ in range(given.rounds):
            for pieces in given.pieces:
                products.append(min(seconds(product) for _ in range(3)))
                found[pieces].append(sampling(process, dtype, given.length, pieces, STEPS, by))
        peak = 2 * size**3 / min(products)
        for pieces, times in found.items():
            total, inside = min(times)
            rate = 2 * count * pieces * (given.length + 2) * STEPS / total
            table.add_row(
                precision,
                f"{pieces}",
                f"{1e3 * total / STEPS:.1f}",
                f"{60 * pieces / (200 * total / STEPS):.1f}",
                f"{100 * (1 - inside / total):.1f} %",
                f"{rate / peak:.2f}",
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
