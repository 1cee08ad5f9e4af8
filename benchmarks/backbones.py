"""Backbones of equal size beside each other: what a training step costs, and how fast they learn, in one run.

    python benchmarks/backbones.py FOLDER [--backbone bert modern modern:table=true] [--iterations 300] [--length 128]
                                   [--process masked autoregressive autoregressive:notes=false]

FOLDER holds MIDI files; every tenth is held out. All networks meet the same windows, with the same noise, and take
turns step by step, so that other work on the machine touches all alike. Shown are CPU seconds a step (the median) and
the held-out bits per token (the bound, or exact) along the way, of the weights as they are (no average).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from diffmidi import read_midi
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.presets import default_names
from diffmidi_core.registry import Offer, find

LEVELS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", nargs="+", default=["bert", "modern"], help="NAME, or NAME:option=value,...")
    parser.add_argument("--process", nargs="+", default=["masked", "autoregressive"])
    parser.add_argument("--size", default="small", choices=["tiny", "small", "base"])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--lr", type=float, default=1e-3)
    given = parser.parse_args()
    tokenizer: Tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    train, heldout = pieces(tokenizer, given.folder, given.files)
    networks = {
        (process, backbone): build(process, backbone, given.size, given.length, tokenizer)
        for process in given.process
        for backbone in given.backbone
    }
    optimisers = {
        name: torch.optim.AdamW(each.parameters(), lr=given.lr, weight_decay=0.01) for name, each in networks.items()
    }
    seconds: dict[tuple[str, str], list[float]] = {name: [] for name in networks}
    judged = windows(heldout, tokenizer, 64, given.length, np.random.default_rng(0))
    looks = {given.iterations * share // 4 for share in range(1, 5)}
    for iteration in range(1, given.iterations + 1):
        batch = windows(train, tokenizer, given.batch, given.length, np.random.default_rng(iteration))
        rate = min(1, iteration / 50) * 0.5 * (1 + math.cos(math.pi * iteration / given.iterations))
        for name, network in networks.items():
            for group in optimisers[name].param_groups:
                group["lr"] = given.lr * rate
            begun = time.process_time()
            network.train().loss(batch, torch.Generator().manual_seed(iteration))["loss"].backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimisers[name].step()
            optimisers[name].zero_grad()
            seconds[name].append(time.process_time() - begun)
        if iteration in looks:
            for name, network in networks.items():
                row = {
                    "iteration": iteration,
                    "process": name[0],
                    "backbone": name[1],
                    "parameters": sum(each.numel() for each in network.backbone.parameters()),
                    "CPU s a step": round(median(seconds[name]), 3),
                    "bits per token": round(bits(network, judged), 3),
                }
                print(json.dumps(row), flush=True)


def build(process: str, backbone: str, size: str, length: int, tokenizer: Tokenizer) -> Process:
    torch.manual_seed(0)
    offer, options = chosen("process", process)
    places = offer.implementation().positions(offer.options(options), tokenizer, length, 8)
    network, inner = chosen("backbone", backbone)
    found: Process = offer.build(
        options,
        tokenizer=tokenizer,
        backbone=network.build({"size": size, **inner}, length=places),
        schedule=find("schedule", default_names()["schedule"]["name"]).build(),
    )
    return found


def chosen(kind: str, asked: str) -> tuple[Offer, dict[str, str]]:
    """`modern:table=true` as an offer and options."""
    name, _, options = asked.partition(":")
    return find(kind, name), dict(each.split("=") for each in options.split(",") if each)


def pieces(tokenizer: Tokenizer, folder: Path, files: int) -> tuple[list[Ids], list[Ids]]:
    """Tokens of up to `files` files, and of every tenth of them, held out."""
    found: list[Ids] = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".mid", ".midi"))[:files]:
        try:
            found.append(tokenizer.encode(read_midi(path)))
        except DiffmidiError:
            continue
    return [each for number, each in enumerate(found) if number % 10], found[::10]


def windows(pieces: list[Ids], tokenizer: Tokenizer, rows: int, length: int, rng: np.random.Generator) -> Batch:
    """Windows of `length` tokens, whole groups of four, from anywhere in pieces that are as long."""
    long = [piece for piece in pieces if len(piece) >= length]
    picked = []
    for _ in range(rows):
        piece = long[rng.integers(len(long))]
        begin = 4 * rng.integers((len(piece) - length) // 4 + 1)
        picked.append([tokenizer.cls_id, *piece[begin : begin + length], tokenizer.sep_id])
    ids = torch.from_numpy(np.array(picked, dtype=np.int64))
    return Batch(ids, None, torch.full((rows,), length))


@torch.no_grad()
def bits(network: Process, batch: Batch) -> float:
    found = network.eval().bound(batch, torch.Generator().manual_seed(0), levels=LEVELS)
    return float(found.bits.sum() / found.tokens.sum())


if __name__ == "__main__":
    main()
