"""What commands cost to start: CPU seconds, those of the system among them.

    python benchmarks/start.py [--rounds 5] [--commands diffmidi ...] [--light]

Each command line runs as a process of its own, in turns with the others and for every installed version of `diffmidi`
that is given, and the best of its rounds counts: other programs can only make it longer. The piece that is written as
tokens, and the run that is drawn from (a tiny backbone, one iteration), are made first. `--light` leaves out what needs
torch. No renderer runs, so that what is left of `sample` is reading, importing and 20 steps for one piece.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from diffmidi_core.music.toy import from_rows

LIGHT = (
    "--help",
    "run --help",
    "prepare --help",
    "plugins",
    "plugins show backbone bert",
    "run --lr fast",
    "run --backbone brt",
    "run -o backbone.widht=3",
    "text music/0.mid",
)
HEAVY = ("sample run --samples 1 --steps 20 --render none", "evaluate run --windows 1 --no-metric all")
IMPORTS = ("import torch", "import diffmidi_backbones.bert")


def pieces(folder: Path, count: int = 12) -> None:
    """A few scales, as MIDI files."""
    folder.mkdir()
    for number in range(count):
        rows = [(i / 2, 0.5, 48 + (number + i * (1 + number % 5)) % 36, 80) for i in range(200)]
        from_rows(rows).dump_midi(str(folder / f"{number}.mid"))


def seconds(command: list[str], folder: Path) -> float:
    """CPU seconds of a command, which may well end with an error."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a table: a line for each command line, a column for each version."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--commands", nargs="*", default=[str(Path(sys.executable).with_name("diffmidi"))])
    parser.add_argument("--light", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="diffmidi-") as temporary:
        folder = Path(temporary)
        pieces(folder / "music")
        lines = {line: [[command, *line.split()] for command in options.commands] for line in LIGHT}
        if not options.light:
            few = ["--iterations", "1", "--batch-size", "2", "-o", "backbone.size=tiny"]
            for arguments in (["prepare", "music", "--out", "run"], ["train", "run", *few]):
                subprocess.run([options.commands[0], *arguments], cwd=folder, check=True, capture_output=True)
            lines |= {line: [[command, *line.split()] for command in options.commands] for line in HEAVY}
            pythons = [str(Path(command).with_name("python")) for command in options.commands]
            lines |= {line: [[python, "-c", line] for python in pythons] for line in IMPORTS}
        best = {line: [float("inf")] * len(options.commands) for line in lines}
        for _ in range(options.rounds):
            for line, commands in lines.items():
                for column, command in enumerate(commands):
                    best[line][column] = min(best[line][column], seconds(command, folder))
    for line, found in best.items():
        print(f"{line:52}" + "".join(f"{each:8.2f}" for each in found))


if __name__ == "__main__":
    main()
