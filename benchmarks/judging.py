"""What `diffmidi evaluate` costs after much music: peak memory and CPU seconds, and overlap_area over its windows.

    python benchmarks/judging.py [--notes 10000000] [--windows 64 256 1024] [--folder DIR] [--commands diffmidi ...]

Random music is written as MIDI files of 10,000 notes, prepared, trained on for one iteration (a tiny backbone) and
drawn from, once for each command: another installed version of `diffmidi` can be given beside this one. Then `evaluate`
runs twice for each, in turns: what is kept beside the data is written by the first. Peak memory is what the system
reports of the process: of memory-mapped files the pages that were looked at count too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from diffmidi.api.metric import Notes
from diffmidi.api.tokenizer import score_of
from diffmidi_core.registry import find

NOTES = 10_000
"""Notes of one file."""


def write(folder: Path, files: int) -> None:
    """Files of random notes, the same for the same number."""
    folder.mkdir(parents=True)
    for number in range(files):
        random = np.random.default_rng(number)
        onset = random.choice([0, 120, 240, 480], NOTES).cumsum()
        columns = onset, random.choice([120, 240, 480], NOTES), random.integers(36, 84, NOTES), np.full(NOTES, 80)
        score_of(Notes(*columns)).dump_midi(str(folder / f"{number:05}.mid"))


def run(command: list[str]) -> tuple[float, float]:
    """CPU seconds and peak MiB of a command, those of its own processes among the seconds."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def rows(count: int) -> list[dict[str, float]]:
    """What overlap_area would have measured of pieces."""
    random, found = np.random.default_rng(0), []
    single = ("pitch_count", "pitch_range", "pitch_interval", "note_density", "inter_onset")
    for _ in range(count):
        row = {f"{name} 0": float(value) for name, value in zip(single, random.gamma(9, 1, 5), strict=True)}
        for name, size in (("pitch_classes", 12), ("note_lengths", 11)):
            row |= {f"{name} {i}": float(share) for i, share in enumerate(random.dirichlet(np.ones(size)))}
        found.append(row)
    return found


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=10_000_000)
    parser.add_argument("--windows", type=int, nargs="*", default=[64, 256, 1024])
    parser.add_argument("--folder", type=Path, help="where the music and the runs stay and are used again")
    parser.add_argument("--commands", nargs="*", default=["diffmidi"])
    options = parser.parse_args()
    metric = find("metric", "overlap_area").build()
    for windows in options.windows:
        some = rows(windows + 8)
        begun = time.process_time()
        metric.summarise(some[:8], some[8:])
        print(f"overlap_area beside {windows:5} windows: {time.process_time() - begun:6.2f} CPU s", flush=True)
    with tempfile.TemporaryDirectory(prefix="diffmidi-") as temporary:
        folder = options.folder or Path(temporary)
        if options.notes and not (folder / "music").exists():
            write(folder / "music", max(1, options.notes // NOTES))
        runs = [folder / f"run-{number}" for number in range(len(options.commands))] if options.notes else []
        for command, path in zip(options.commands, runs, strict=False):
            if not path.exists():
                few = ["--iterations", "1", "--batch-size", "2", "-o", "backbone.size=tiny", "--precision", "fp32"]
                run([command, "prepare", str(folder / "music"), "--out", str(path)])
                run([command, "train", str(path), *few])
                run([command, "sample", str(path), "--steps", "8", "--render", "none"])
        for turn in ("first", "again"):
            for command, path in zip(options.commands, runs, strict=False):
                seconds, peak = run([command, "evaluate", str(path), "--precision", "fp32", "--windows", "16"])
                print(f"{turn} {command} evaluate: {seconds:7.1f} CPU s, at most {peak:7,.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
