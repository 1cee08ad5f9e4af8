"""CPU seconds that training takes to a held-out bound: the default run's process, in turns with a plain loop.

    diffmidi prepare --out RUN
    python benchmarks/bound.py RUN [--size small] [--batch 32] [--iterations 120] [--every 20] [--precision fp32]

The plain loop is what one writes after the paper on masked diffusion (Sahoo et al. 2024): transformers' BertModel with
its own embeddings and a linear head, each window masked at a rate t that is uniform, cross-entropy of the masked tokens
over t, AdamW at a constant rate. It is of the same size and hears the same windows in the same keys. Both bounds are
estimated in 8 noise levels on the same held-out windows. One trains for `--every` iterations, then the other, in one
process; only the training is timed, in CPU seconds of the whole process, so that other programs count as little as they
can. The goal is the bound that the worse of the two ends with: it prints after how many CPU seconds each was there.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `diffmidi` has it

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from training import DTYPES, build_process, our_step
from transformers import BertConfig, BertModel

from diffmidi_core.config import TrainConfig
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.registry import find

LEVELS = 8


class Plain(nn.Module):
    """Masked diffusion without anything that this project adds."""

    def __init__(self, vocabulary: int, size: str, positions: int) -> None:
        super().__init__()
        given = find("backbone", "bert").options({"size": size})
        self.bert = BertModel(
            BertConfig(
                vocab_size=vocabulary,
                hidden_size=given.width,
                num_hidden_layers=given.layers,
                num_attention_heads=given.heads,
                intermediate_size=given.feed_forward,
                max_position_embeddings=positions,
            ),
            add_pooling_layer=False,
        )
        self.head = nn.Linear(given.width, vocabulary)

    def nats(self, batch: Batch, t: Tensor, mask_id: int) -> Tensor:
        """[B] the bound at one level t [B] each: what the masked tokens cost, over t."""
        present = torch.ones_like(batch.ids, dtype=torch.bool) if batch.attention_mask is None else batch.attention_mask
        masked = (torch.rand(batch.ids.shape) < t[:, None]) & present
        hidden = self.bert(torch.where(masked, mask_id, batch.ids), attention_mask=present.long()).last_hidden_state
        cost = nn.functional.cross_entropy(self.head(hidden).transpose(1, 2).float(), batch.ids, reduction="none")
        return (cost * masked).sum(1) / t


def levels(rows: int, shift: float) -> Tensor:
    """[B] levels that lie evenly in (0, 1]."""
    return ((torch.arange(rows) + 0.5) / rows + shift) % 1 * (1 - 1e-3) + 1e-3


def main() -> None:
    """Train both in turns and print how the bounds fall."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--size", default="small", choices=["tiny", "small", "base"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--iterations", type=int, default=120)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--windows", type=int, default=32)
    parser.add_argument("--precision", default="fp32", choices=list(DTYPES))
    given = parser.parse_args()
    tokenizer, dtype = find("tokenizer", "mmm").build({"layout": "aligned"}), DTYPES[given.precision]
    dataset = TokenDataset(given.run / "data", tokenizer, length=given.length)
    heldout = dataset.batch(dataset.heldout(given.windows))
    tokens = int(heldout.tokens.sum())
    process = build_process("bert", given.size, given.length, "cpu", "masked")
    torch.manual_seed(0)
    plain = Plain(len(tokenizer.vocab), given.size, given.length + 2)
    optimiser = torch.optim.AdamW(plain.parameters(), lr=TrainConfig().lr)

    def mixed() -> torch.autocast:
        return torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32)

    def plain_step(batch: Batch) -> None:
        with mixed():
            loss = plain.nats(batch, levels(len(batch.ids), float(torch.rand(()))), tokenizer.mask_id).mean()
        (loss / given.length).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    def plain_bound() -> float:
        generator = torch.random.get_rng_state()
        torch.manual_seed(0)
        costs = [plain.nats(heldout, levels(given.windows, k / LEVELS), tokenizer.mask_id) for k in range(LEVELS)]
        torch.random.set_rng_state(generator)
        return float(torch.stack(costs).mean(0).sum()) / tokens / math.log(2)

    def our_bound() -> float:
        bound = process.bound(heldout, torch.Generator().manual_seed(0), levels=LEVELS)
        return float(sum(term.double().sum() for term in bound.terms.values())) / tokens

    works: dict[str, tuple[nn.Module, Callable[[Batch], object], Callable[[], float]]] = {
        "masked": (process, our_step(process, dtype), our_bound),
        "plain loop": (plain, plain_step, plain_bound),
    }
    spent, found = dict.fromkeys(works, 0.0), {name: list[tuple[int, float, float]]() for name in works}
    for begin in range(0, given.iterations, given.every):
        for name, (model, step, bound) in works.items():
            batches = [
                dataset.batch(dataset.draw(given.batch, seed=0, step=k)) for k in range(begin, begin + given.every)
            ]
            model.train()
            begun = time.process_time()
            for batch in batches:
                step(batch)
            spent[name] += time.process_time() - begun
            model.eval()
            with torch.no_grad():
                found[name].append((begin + given.every, spent[name], bound()))
    table = Table(title=f"bits per token of {given.windows} held-out windows, {given.size}, {given.precision}")
    for heading in ("iterations", *(f"{name}, {what}" for name in works for what in ("CPU s", "bound"))):
        table.add_column(heading, justify="right")
    for lines in zip(*found.values(), strict=True):
        table.add_row(str(lines[0][0]), *(cell for line in lines for cell in (f"{line[1]:.1f}", f"{line[2]:.3f}")))
    console = Console(width=100)
    console.print(table)
    goal = max(lines[-1][2] for lines in found.values())
    for name, lines in found.items():
        first = next(line for line in lines if line[2] <= goal)
        console.print(f"{name}: at {goal:.3f} bits after {first[1]:.1f} CPU s ({first[0]} iterations)")


if __name__ == "__main__":
    main()
