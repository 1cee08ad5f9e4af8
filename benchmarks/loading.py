"""What training data cost: opening a token dataset of a million pieces, and a step's wait for its batch.

    python benchmarks/loading.py [--pieces 1000000] [--notes 100] [--folder DIR] [--backbone bert] [--cold]

A synthetic dataset is written in the form in which `diffmidi prepare` writes one (into DIR, where it stays and is used
again; else into a temporary folder). A process of its own opens it; memory is what that process holds besides the pages
of the file, which the system may take back. `--cold` drops the file from the page cache first. Times of a batch are
medians, of windows as they are and transposed as in training; the wait is that of a training step (small backbone,
gaussian) for its batch, which a thread makes while the step before it is computed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa

from diffmidi_core.checksums import digests
from diffmidi_core.data.prepare import REPORT, TOKENS
from diffmidi_core.registry import find

BATCH, LENGTH, ROWS = 32, 128, 500
"""Windows in a batch, words in a window, pieces in a record batch of the file."""


def write(folder: Path, pieces: int, notes: int) -> None:
    """`pieces` of about `notes` random notes each, the same for the same numbers."""
    tokenizer, random = find("tokenizer", "mmm").build({"layout": "aligned"}), np.random.default_rng(0)
    types, kinds = tokenizer.grammar.types, tokenizer.grammar.type_of
    lists = pa.list_(pa.int32())
    schema = pa.schema(
        {"id": pa.string(), "notes_hash": pa.binary(16), "side": pa.int8(), "ids": lists, "starts": lists}
    )
    folder.mkdir(parents=True)
    with pa.OSFile(str(folder / TOKENS), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for first in range(0, pieces, ROWS):
            count = min(ROWS, pieces - first)
            lengths = random.integers(notes // 2, notes * 3 // 2 + 1, count)
            ids = np.stack(
                [
                    random.choice(np.flatnonzero(kinds == types.index(kind)), lengths.sum())
                    for kind in ("shift", "pitch", "velocity", "duration")
                ],
                axis=1,
            )
            ends = lengths.cumsum()
            starts = 4 * (np.arange(ends[-1]) - np.repeat(ends - lengths, lengths))
            offsets = np.append(0, ends).astype(np.int32)
            columns = [
                pa.array([f"piece {number}" for number in range(first, first + count)]),
                pa.array([random.bytes(16) for _ in range(count)], pa.binary(16)),
                pa.array(random.choice(3, count, p=(0.8, 0.1, 0.1)).astype(np.int8)),
                pa.ListArray.from_arrays(offsets * 4, ids.reshape(-1).astype(np.int32)),
                pa.ListArray.from_arrays(offsets, starts.astype(np.int32)),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
    report = {"tokenizer": tokenizer.fingerprint, "fingerprint": "synthetic", "files": digests(folder)}
    (folder / REPORT).write_text(json.dumps(report))


def opening(folder: Path) -> dict[str, float]:
    """Seconds and MiB of opening it and of the first batches. Run in a process of its own."""
    import psutil

    from diffmidi_core.config import AugmentConfig
    from diffmidi_core.data.augment import Augmentation
    from diffmidi_core.data.dataset import TokenDataset

    def held() -> float:
        memory = psutil.Process().memory_info()
        return (memory.rss - memory.shared) / 2**20

    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    before, begun = held(), time.perf_counter()
    augment = Augmentation(AugmentConfig(transpose=5), tokenizer)
    dataset = TokenDataset(folder, tokenizer, length=LENGTH, augment=augment)
    opened = time.perf_counter()
    dataset.draw(BATCH, seed=0, step=0)
    drawn = time.perf_counter()
    heldout = dataset.heldout(BATCH)
    tiled, memory = time.perf_counter(), held() - before
    assert len(heldout) == BATCH
    times: dict[bool, list[float]] = {False: [], True: []}
    for step in range(1, 501):
        for plain in times:
            begun_batch = time.perf_counter()
            dataset.batch(dataset.draw(BATCH, seed=0, step=step, plain=plain))
            times[plain].append(time.perf_counter() - begun_batch)
    return {
        "open, s": opened - begun,
        "first draw, s": drawn - opened,
        "held-out windows, s": tiled - drawn,
        "memory, MiB": memory,
        "batch of 32, as it is, ms": 1e3 * median(times[True]),
        "batch of 32, transposed, ms": 1e3 * median(times[False]),
    }


def waiting(folder: Path, backbone: str, steps: int) -> dict[str, float]:
    """Milliseconds of a training step, and how much of it is waiting for its batch."""
    import torch

    from diffmidi_core.config import AugmentConfig, TrainConfig
    from diffmidi_core.data.augment import Augmentation
    from diffmidi_core.data.dataset import TokenDataset
    from diffmidi_core.train.feed import Feed
    from diffmidi_core.train.optimiser import Ema, make_optimiser

    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    augment = Augmentation(AugmentConfig(transpose=5), tokenizer)
    dataset = TokenDataset(folder, tokenizer, length=LENGTH, augment=augment)
    process = find("process", "gaussian").build(
        tokenizer=tokenizer,
        backbone=find("backbone", backbone).build(length=LENGTH + 2),
        schedule=find("schedule", "sqrt").build(),
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    process.to(device)
    optimiser, ema = make_optimiser(process, TrainConfig()), Ema(process)
    generator = torch.Generator(device).manual_seed(0)
    took = []
    with Feed(dataset, seed=0, rows=BATCH, pin=device == "cuda") as feed:
        feed.batch(0)
        feed.waited = 0.0
        for step in range(1, steps + 1):
            begun = time.perf_counter()
            batch = feed.batch(step).to(device)
            with torch.autocast(device, torch.bfloat16):
                loss = process(batch, generator)["loss"]
            loss.backward()
            torch.nn.utils.clip_grad_norm_(process.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            ema.update(process, 0.999)
            loss.item()
            took.append(time.perf_counter() - begun)
        waited = feed.waited
    return {
        "step, ms": 1e3 * median(took),
        "waiting in it, ms": 1e3 * waited / steps,
        "waiting, % of training": 100 * waited / sum(took),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, default=1_000_000)
    parser.add_argument("--notes", type=int, default=100, help="in a piece, on average")
    parser.add_argument("--folder", type=Path, help="where the dataset lies, or shall")
    parser.add_argument("--backbone", default="bert")
    parser.add_argument("--steps", type=int, default=20, help="training steps timed; 0: none")
    parser.add_argument("--cold", action="store_true", help="drop the file from the page cache before it is opened")
    parser.add_argument("--opening", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.opening:
        print(json.dumps(opening(asked.folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary) / "data"
        if not folder.exists():
            write(folder, asked.pieces, asked.notes)
        print(f"{asked.pieces:,} pieces, {(folder / TOKENS).stat().st_size / 2**30:.2f} GiB")
        if asked.cold:
            with (folder / TOKENS).open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        command = [sys.executable, __file__, "--opening", "--folder", str(folder)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if asked.steps:
            found |= waiting(folder, asked.backbone, asked.steps)
        for what, figure in found.items():
            print(f"{what:>28} {figure:10.3f}")


if __name__ == "__main__":
    main()
