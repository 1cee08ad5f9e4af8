"""What a figure on test music costs, and how sure it is: the bound of a run by windows and levels.

    python benchmarks/intervals.py RUN [--grid 64x32 128x4 64x2 32x8] [--rounds 3]

CPU seconds of the bound and the half-width of its 95 % interval, the settings in turns, the least of several rounds.
"evaluate" takes 128 windows at 4 levels, a validation pass 64 at 2, of held-out and as many of training music.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from diffmidi_core.draw.model import open_model
from diffmidi_core.judge.likelihood import bits_per_token, window_bits
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.machine.session import Surroundings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--grid", nargs="+", default=["64x32", "128x4", "64x2", "32x8"], metavar="WINDOWSxLEVELS")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, work = open_model(given.run), Surroundings()
    music = ReferenceMusic(given.run / "data", model.tokenizer, length=model.length)
    seconds: dict[str, list[float]] = {name: [] for name in given.grid}
    bounds: dict[str, tuple[float, float | None]] = {}
    for _ in range(given.rounds):
        for name in given.grid:
            count, levels = map(int, name.split("x"))
            windows = music.windows(count)
            begun = time.process_time()
            rows = window_bits(work, model.process, music.dataset, windows, levels=levels, report=False)
            seconds[name].append(time.process_time() - begun)
            bounds[name] = bits_per_token(rows)
    table = Table(title=f"bound of {given.run} on {music.name}, one thread")
    for heading in ("windows x levels", "CPU s", "bits per token", "95 % interval, half"):
        table.add_column(heading, justify="right")
    for name in given.grid:
        value, error = bounds[name]
        half = "" if error is None else f"{1.96 * error:.3f}"
        table.add_row(name, f"{min(seconds[name]):.2f}", f"{value:.3f}", half)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
