"""Infilling judged: bars of songs drawn anew, beside a copy of the bar before, other music, and the truth.

    python benchmarks/infilling.py MODEL SONGS SPLIT.csv [--judge RUN ...] [--holes 50] [--bars 4] [--seed 0]
        [--tasks bars half latency] [--threads 1] [--out FILE.json]

SONGS is a folder of MIDI files and SPLIT.csv the `data/split.csv` of the model's run: holes are in pieces of its test
split alone, one a piece, at a place drawn from the seed with music on both sides. Each is filled by the model, by the
bar before it (again and again), by as many bars from a random place of another test piece (of the same parts and, where
one is found, the same lengths of bars), and is left as it is. What is measured of the bars of the hole:

- bits: of what is new given all around it, per new note, under the model itself and each `--judge`: a bound, at eight
  numbers of masked tokens that are the same for all fillings, or of a left-to-right judge exact. The model as its own
  judge favours what it draws.
- rhythm: the onsets that it has in common with the truth, 2 |A ∩ B| / (|A| + |B|), on a twelfth of a quarter note.
- pitch classes: Σ min(p, q) of the shares of the twelve.
- seam: the probability that the music changes more at the two ends of the hole than at a place outside of it (metric
  `seam`, all five changes): .5 where the ends are places like all others.
- the measures of RJM (their infilling of MAESTRO, 50 pieces, 500 steps): the cosine of the counts of pitch classes
  (PCHO), the share of sixteenths in which both or neither have an onset (groove), and how many notes there are for one
  of the truth (density).

Task `half` is RJM's protocol: the middle half of an excerpt, here 8 of 16 bars. (They mask the middle half of the
tokens and measure that of the time, so that some of what they measure was not masked.) `latency` is the time of
`infill --bars 5-8`, from the file to the file, once all is imported and the model open. Intervals of 95 % are
bootstrapped over holes. `--out` is written hole by hole, and gone on with.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from infilling_holes import Hole, half_of, hole_in, random_span
from infilling_measures import Row, measured
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from diffmidi import Pipeline
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.user_file import UserFile

OURS, COPY, OTHER, TRUTH = "the model", "the bar before, copied", "a random span", "the truth"
ITSELF = "itself"
SHARES = ("rhythm", "pitch classes", "seam", "PCHO", "groove", "density")


def fillings(pipeline: Pipeline, hole: Hole, files: Sequence[UserFile], seed: int) -> Mapping[str, Callable[[], bytes]]:
    """The ways to fill a hole."""

    def model() -> bytes:
        (take,) = pipeline.takes(hole.asked, pipeline.request(1, seed=seed))
        return take.patched.data

    return {
        OURS: model,
        COPY: hole.copied,
        OTHER: lambda: random_span(hole, files, np.random.default_rng([seed, 1])),
        TRUTH: lambda: hole.file.data,
    }


def interval(values: NDArray[np.float64], over: NDArray[np.float64] | None = None) -> tuple[float, float, float]:
    """The mean, or Σ values / Σ over, with its interval."""
    over = np.ones(len(values)) if over is None else over
    drawn = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(values[drawn].sum(1) / np.maximum(over[drawn].sum(1), 1), [0.025, 0.975])
    return float(values.sum() / max(over.sum(), 1)), float(low), float(high)


def text(values: tuple[float, float, float], digits: int = 3) -> str:
    """0.512 (0.401 to 0.6)."""
    mean, low, high = (f"{each:.{digits}f}" for each in values)
    return f"{mean} ({low} to {high})"


def told(rows: Sequence[Row], task: str) -> Table:
    """A task's table. Bits are those of holes that a judge could read in every filling."""
    own = [row for row in rows if row["task"] == task and "refused" not in row]
    judges = [*dict.fromkeys(name for row in own for name in row["bits"])]
    table = Table(title=f"{task}: means, intervals of 95 % over holes")
    headings = ("filled by", "holes", "notes", *(f"bits a note, {name}" for name in judges), *SHARES)
    for heading in headings:
        table.add_column(heading, justify="right")
    ways = [*dict.fromkeys(row["way"] for row in own)]
    readable = {
        name: set.intersection(
            *({row["hole"] for row in own if row["way"] == way and row["bits"][name] is not None} for way in ways)
        )
        for name in judges
    }
    for way in ways:
        some = [row for row in own if row["way"] == way]
        cells = [way, str(len(some)), str(sum(row["notes"] for row in some))]
        for name in judges:
            known = [row for row in some if row["hole"] in readable[name]]
            columns = np.array([(row["bits"][name], row["notes"]) for row in known], dtype=float).reshape(-1, 2).T
            cells.append(f"{text(interval(*columns), 2)}, {len(known)}" if len(known) else "-")
        for name in SHARES:
            cells.append(text(interval(np.array([row[name] for row in some if row[name] is not None]))))
        table.add_row(*cells)
    return table


def latency(rows: Sequence[Row]) -> Table:
    """How long `infill` takes."""
    table = Table(title="infill --bars 5-8")
    for heading in ("files", "threads", "median, s", "95 %, s", "median, CPU s", "95 %, CPU s"):
        table.add_column(heading, justify="right")
    own = [row for row in rows if row["task"] == "latency" and "refused" not in row]
    for threads in sorted({row["threads"] for row in own}):
        some = [row for row in own if row["threads"] == threads]
        seconds, cpu = (np.array([row[name] for row in some]) for name in ("seconds", "cpu"))
        figures = (np.median(seconds), np.quantile(seconds, 0.95), np.median(cpu), np.quantile(cpu, 0.95))
        table.add_row(str(len(some)), str(threads), *(f"{each:.2f}" for each in figures))
    return table


def timed(pipeline: Pipeline, path: Path, seed: int) -> Row:
    """One `infill`, from the file to the file."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        (take,) = pipeline.infill(path, bars="5-8", seed=seed)
    except DiffmidiError as error:
        return {"refused": str(error)[:160]}
    assert take.patched.data
    return {"seconds": round(time.perf_counter() - wall, 3), "cpu": round(time.process_time() - cpu, 3)}


class Kept:
    """Rows in a file, written one by one."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.rows = path, list[Row]()
        if path is not None and path.is_file():
            self.rows = json.loads(path.read_text(encoding="utf-8"))

    def has(self, **key: Any) -> bool:
        """Whether there is a row with these values."""
        return any(all(row.get(name) == value for name, value in key.items()) for row in self.rows)

    def add(self, row: Row) -> None:
        """One row more."""
        self.rows.append({name: rounded(value) for name, value in row.items()})
        if self.path is not None:
            lines = ",\n".join(map(json.dumps, self.rows))
            self.path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """Four digits behind the point."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("songs", type=Path)
    parser.add_argument("split", type=Path)
    parser.add_argument("--judge", type=Path, action="append", default=[])
    parser.add_argument("--holes", type=int, default=50)
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="+", default=["bars", "half", "latency"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    with given.split.open(encoding="utf-8") as lines:
        names = sorted(row["piece"] for row in csv.DictReader(lines) if row["side"] == "test")
    names = [names[place] for place in np.random.default_rng(given.seed).permutation(len(names)).tolist()]
    files = [UserFile.read(given.songs / name) for name in names]
    pipeline = Pipeline.from_pretrained(given.model, device="cpu")
    judges = {ITSELF: pipeline.model}
    judges |= {path.name: Pipeline.from_pretrained(path, device="cpu").model for path in given.judge}
    kept = Kept(given.out)
    makers: dict[str, Callable[[UserFile, np.random.Generator], Hole | None]] = {
        "bars": lambda file, random: hole_in(file, given.bars, random),
        "half": half_of,
    }
    for task in (task for task in given.tasks if task in makers):
        made = (makers[task](file, np.random.default_rng([given.seed, n])) for n, file in enumerate(files))
        holes = islice(((number, hole) for number, hole in enumerate(made) if hole is not None), given.holes)
        for number, hole in holes:
            for way, answer in fillings(pipeline, hole, files, given.seed + number).items():
                if not kept.has(task=task, hole=number, way=way):
                    kept.add({"task": task, "hole": number, "way": way, **measured(hole, answer, judges)})
        Console(width=220).print(told(kept.rows, task))
    if "latency" in given.tasks:
        long = [number for number, file in enumerate(files) if Asked.behind(file, 1).bars.last > 9][: given.holes]
        timed(pipeline, given.songs / names[long[0]], given.seed)  # what is imported by its first use
        for number in long:
            if not kept.has(task="latency", hole=number, threads=given.threads):
                found = timed(pipeline, given.songs / names[number], given.seed + number)
                kept.add({"task": "latency", "hole": number, "threads": given.threads, **found})
        Console(width=120).print(latency(kept.rows))
    return kept.rows


if __name__ == "__main__":
    main()
