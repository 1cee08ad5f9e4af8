"""How far off the bound of a Gaussian run is by the noise levels that are drawn for it: evenly, and as they are now.

    python benchmarks/levels.py RUN [--untrained PRESET] [--levels 4 8 16] [--windows 8] [--seeds 6]

The same windows of the run's test music are charged again and again under other seeds, with as many evaluations of the
network a window as there are levels. Printed are standard deviations over the seeds, of a single window (the root of
the mean square over the windows) and of all of them together. "evenly" is how levels were drawn before: three fourths
uniformly, the others by the weights of the levels. PRESET is measured with a network that was never trained.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from unittest.mock import patch

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from diffmidi_core.config import resolve
from diffmidi_core.contracts.process import Process
from diffmidi_core.diffusion import bound
from diffmidi_core.diffusion.drawn_levels import level_probabilities
from diffmidi_core.draw.model import open_model
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.machine.build import build_process


def evenly(drops: Tensor, errors: Tensor) -> Tensor:
    return 0.75 / len(drops) + 0.25 * drops / drops.sum()


WAYS = {"evenly": evenly, "now": level_probabilities}


def estimates(process: Process, music: ReferenceMusic, windows: int, levels: int, seeds: int) -> tuple[Tensor, Tensor]:
    """[S, W] bits of each window by each seed, and [W] the tokens of each."""
    batch = music.dataset.batch(music.windows(windows))
    with torch.no_grad():
        found = [process.bound(batch, torch.Generator().manual_seed(k), levels=levels).bits for k in range(seeds)]
    return torch.stack(found).double(), batch.tokens.double()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--untrained", metavar="PRESET")
    parser.add_argument("--levels", nargs="+", type=int, default=[4, 8, 16])
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=6)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = open_model(given.run)
    process = model.process
    if given.untrained:
        config = resolve(None, {"preset": given.untrained, "length": model.length})
        process = build_process(config, model.tokenizer)
    process.eval()
    music = ReferenceMusic(given.run / "data", model.tokenizer, length=model.length)
    table = Table(title=f"{given.windows} windows, {given.seeds} seeds, {given.untrained or given.run}")
    for heading in ("levels", "drawn", "bits per token", "± of a window", "± of all"):
        table.add_column(heading, justify="right")
    console = Console(width=100)
    for levels in given.levels:
        for name, probabilities in WAYS.items():
            with patch.object(bound, "level_probabilities", probabilities):
                bits, tokens = estimates(process, music, given.windows, levels, given.seeds)
            one = float((bits / tokens).var(0).mean().sqrt())
            whole = bits.sum(1) / tokens.sum()
            table.add_row(str(levels), name, f"{whole.mean():.3f}", f"{one:.3f}", f"{whole.std():.3f}")
    console.print(table)


if __name__ == "__main__":
    main()
