"""What sound and pictures cost: the default renderers on one piece, each piece synthesised once or by each of them.

    python benchmarks/rendering.py [--seconds 30] [--pieces 4] [--rounds 3]

CPU seconds a piece of `wav` alone, of `waveform` alone, and of both one after the other as `render` has it, in turns,
the least of several rounds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from diffmidi_core.music.toy import from_rows
from diffmidi_core.registry import find

TOGETHER = {"wav": ("wav",), "waveform": ("waveform",), "wav and waveform": ("wav", "waveform")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--pieces", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    beats = int(2 * given.seconds)
    taken: dict[str, list[float]] = {name: [] for name in TOGETHER}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            for name, renderers in TOGETHER.items():
                built = [find("renderer", each).build() for each in renderers]
                begun = time.process_time()
                for piece in range(given.pieces):
                    first = 30 + piece + len(name) + number  # another piece each time: none is synthesised already
                    rows = [(beat, 1, first + 7 * beat % 40, 60 + beat % 60) for beat in range(beats)]
                    for renderer in built:
                        renderer.render(from_rows(rows), Path(folder) / f"piece{renderer.suffix}")
                taken[name].append((time.process_time() - begun) / given.pieces)
    table = Table(title=f"CPU s a piece of {given.seconds:g} s")
    for heading in ("renderers", "CPU s"):
        table.add_column(heading, justify="right")
    for name, seconds in taken.items():
        table.add_row(name, f"{min(seconds):.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
