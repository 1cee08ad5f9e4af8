"""Files and notes per second from MIDI file to words: diffmidi's `mmm` against MidiTok's REMI (default config).

    python benchmarks/tokenizing.py FOLDER [--files 100] [--rounds 5]

Both read the same files in the same process and take turns, so that a busy machine slows both; the best round of each
counts. Files that either refuses are left out before the clock starts.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path

import symusic
from miditok import REMI

from diffmidi_core.errors import RefusedError
from diffmidi_core.music.notes import notes_of
from diffmidi_core.music.reading import read_midi
from diffmidi_core.registry import find


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=100, help="how many files, drawn at random with seed 0")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()

    remi = REMI()
    encoders: dict[str, Callable[[Path], object]] = {"remi (MidiTok)": lambda file: remi(symusic.Score(file))}
    for layout in ("aligned", "run", "paper"):
        mmm = find("tokenizer", "mmm").build({"layout": layout})
        encoders[f"mmm {layout}"] = lambda file, mmm=mmm: mmm.encode(read_midi(file))

    files = sorted(file for file in asked.folder.rglob("*") if file.suffix.lower() in (".mid", ".midi"))
    random.Random(0).shuffle(files)
    files = [file for file in files[: asked.files] if all(reads(encode, file) for encode in encoders.values())]
    if not files:
        parser.error(f"{asked.folder} holds no MIDI file that both can read.")
    notes = sum(len(notes_of(read_midi(file))) for file in files)

    best = dict.fromkeys(encoders, float("inf"))
    for _ in range(asked.rounds):
        for name, encode in encoders.items():
            best[name] = min(best[name], seconds(encode, files))

    print(f"{len(files)} files, {notes:,} notes; one process, best of {asked.rounds} rounds, reading included")
    print(f"{'':16}{'files/s':>10}{'notes/s':>14}{'ratio':>8}")
    slowest = best["remi (MidiTok)"]
    for name, spent in best.items():
        print(f"{name:16}{len(files) / spent:10,.0f}{notes / spent:14,.0f}{slowest / spent:8.1f}")


def reads(encode: Callable[[Path], object], file: Path) -> bool:
    try:
        encode(file)
    except (RefusedError, RuntimeError, ValueError):
        return False
    return True


def seconds(encode: Callable[[Path], object], files: list[Path]) -> float:
    begun = time.perf_counter()
    for file in files:
        encode(file)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
