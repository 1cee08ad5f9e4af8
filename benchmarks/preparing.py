"""Files and notes per second of `prepare` against MidiTok's pre-tokenisation, and memory as a set of files grows.

    python benchmarks/preparing.py FOLDER [--files 300] [--rounds 3]
    python benchmarks/preparing.py --grow 1000 10000 100000

The first takes turns over the same files, with one process and with two: `prepare` down to tokens.arrow on the disk
(duplicates, labels and the round trip included), and MidiTok's `DatasetMIDI(pre_tokenize=True)` with REMI in its
default config, which keeps its words in memory. Files that either refuses are left out before the clock starts. CPU
seconds are those of this process and of those it starts: other programs on the machine do not count. The second writes
so many files, mutated copies of a few, and prepares them in a process of its own, whose peak memory it says.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from diffmidi_core.contracts.source import Source
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.prepare import Choices, Running, prepare
from diffmidi_core.errors import RefusedError
from diffmidi_core.hooks import Hooks
from diffmidi_core.music.notes import Notes, Score, notes_of, score_of
from diffmidi_core.music.reading import read_midi
from diffmidi_core.registry import find

GROWN = """
import json, resource, sys, time
from pathlib import Path
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.hooks import Hooks
from diffmidi_core.registry import find
source = find("source", "folder").build(data=sys.argv[1])
tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
begun = time.perf_counter()
report = prepare(source, tokenizer, Path(sys.argv[1], "data"), Choices(heldout=0.1), hooks=Hooks())
spent = time.perf_counter() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([spent, peak, report.kept, report.notes]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--files", type=int, default=300, help="how many files, drawn at random with seed 0")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--grow", type=int, nargs="+", metavar="FILES", help="numbers of files to prepare")
    asked = parser.parse_args()
    if asked.folder is None and not asked.grow:
        parser.error("give a FOLDER of MIDI files, or --grow.")
    with tempfile.TemporaryDirectory() as temporary:
        if asked.folder is not None:
            compare(asked.folder, asked.files, asked.rounds, Path(temporary))
        for count in asked.grow or ():
            grow(count, Path(temporary))


def compare(folder: Path, count: int, rounds: int, temporary: Path) -> None:
    from miditok import REMI
    from miditok.pytorch_data import DatasetMIDI

    remi = REMI()
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".mid", ".midi"))
    random.Random(0).shuffle(files)
    music = temporary / "music"
    music.mkdir()
    notes = 0
    for number, file in enumerate(files[:count]):
        try:
            score = read_midi(file)
            remi(score)
        except (RefusedError, RuntimeError, ValueError):
            continue
        notes += len(notes_of(score))
        (music / f"{number:05d}.mid").write_bytes(file.read_bytes())
    chosen = sorted(music.iterdir())

    def pre_tokenized(workers: int) -> object:
        return DatasetMIDI(chosen, remi, max_seq_len=1024, pre_tokenize=True, parallel_workers_size=workers)

    fresh = iter(range(10**6))
    ways: dict[str, Callable[[], object]] = {
        "MidiTok, 1 process": lambda: pre_tokenized(1),
        "MidiTok, 2 processes": lambda: pre_tokenized(2),
        "prepare, 1 process": lambda: prepared(music, temporary / f"out-{next(fresh)}", 1),
        "prepare, 2 processes": lambda: prepared(music, temporary / f"out-{next(fresh)}", 2),
    }
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun, cpu = time.perf_counter(), cpu_seconds()
            way()
            spent[name].append((time.perf_counter() - begun, cpu_seconds() - cpu))
    print(f"{len(chosen)} files, {notes:,} notes; the best of {rounds} rounds; ratio: the median of the rounds' own")
    print(f"{'':22}{'seconds':>9}{'ratio':>8}{'CPU s':>9}{'ms a file':>11}{'CPU ratio':>11}{'notes/CPU s':>14}")
    base = np.array(spent["MidiTok, 1 process"])
    for name, times in spent.items():
        wall, cpu = np.min(times, axis=0)
        ratio, cpu_ratio = np.median(base / np.array(times), axis=0)
        print(
            f"{name:22}{wall:9.2f}{ratio:8.1f}{cpu:9.2f}{1000 * cpu / len(chosen):11.2f}{cpu_ratio:11.1f}"
            f"{notes / cpu:14,.0f}"
        )


def cpu_seconds() -> float:
    """Of this process and of those it has started that have ended: other programs on the machine do not count."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def parts(music: Path) -> tuple[Source, Tokenizer]:
    return find("source", "folder").build(data=str(music)), find("tokenizer", "mmm").build({"layout": "aligned"})


def prepared(music: Path, out: Path, workers: int) -> None:
    prepare(
        *parts(music),
        out,
        Choices(heldout=0.1),
        hooks=Hooks(),
        running=Running(workers=workers, make=partial(parts, music)),
    )


def grow(count: int, temporary: Path) -> None:
    folder = temporary / f"grown-{count}"
    rng = np.random.default_rng(0)
    for number in range(count):
        below = folder / f"{number // 1000:04d}"
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{number:07d}.mid").write_bytes(mutated(number % 20, rng).dumps_midi())
    done = subprocess.run([sys.executable, "-c", GROWN, str(folder)], capture_output=True, text=True, check=True)
    spent, peak, kept, notes = json.loads(done.stdout)
    print(
        f"{count:9,} files: {spent:7.1f} s, {1000 * spent / count:.2f} ms a file, {notes / spent:10,.0f} notes/s, "
        f"peak {peak:5.0f} MiB ({kept:,} kept)",
        flush=True,
    )


def mutated(seed: int, rng: np.random.Generator) -> Score:
    """One of a few tunes of 200 notes, in another key, with a tenth of its pitches changed."""
    tune = np.random.default_rng(seed).integers(48, 84, 200)
    pitch = tune + rng.integers(-6, 7) + np.where(rng.random(200) < 0.1, rng.integers(-2, 3, 200), 0)
    velocity = rng.integers(40, 100, 200)
    return score_of(Notes(np.arange(200) * 120, np.full(200, 120), pitch, velocity))


if __name__ == "__main__":
    main()
