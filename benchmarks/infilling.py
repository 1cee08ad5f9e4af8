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
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from diffmidi import Pipeline
from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.draw.filled import cells_of, windows_of
from diffmidi_core.draw.model import Model
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import notes_of
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.cells import Laid, lay_out
from diffmidi_core.steer.excerpt import excerpt
from diffmidi_core.steer.patching import NewNotes, patched
from diffmidi_core.steer.ranking import Candidate, bits_per_note
from diffmidi_core.steer.regions import regions
from diffmidi_core.steer.user_file import UserFile
from diffmidi_metrics.seam import AROUND, changes, larger

OURS, COPY, OTHER, TRUTH = "the model", "the bar before, copied", "a random span", "the truth"
AROUND_HOLE = 4
"""Bars on either side of a hole at least."""
EXCERPT, HALF = 16, 8
ITSELF = "itself"
SHARES = ("rhythm", "pitch classes", "seam", "PCHO", "groove", "density")
Row = dict[str, Any]


class Hole:
    """Bars of a file, by their first and last number."""

    def __init__(self, file: UserFile, first: int, last: int) -> None:
        self.file, self.told = file, f"bars {first}-{last}"
        self.asked = Asked.region(file, regions([self.told]))
        bars = self.asked.bars
        self.begin, self.end = bars.ticks(first, last)
        place = first - bars.first
        self.lines = bars.at[place : place + last - first + 2]
        self.before = (int(bars.at[place - 1]), int(bars.at[place]))

    @property
    def lengths(self) -> list[Fraction]:
        """Of the bars, in quarter notes."""
        return [Fraction(int(each), self.file.ticks) for each in np.diff(self.lines)]

    def copied(self) -> bytes:
        """Filled by the bar before."""
        return self._filled([(self.file, *self.before)] * len(self.lengths))

    def other(self, file: UserFile, lines: Sequence[int]) -> bytes:
        """Filled by bars of another file, which begin and end at `lines`."""
        return self._filled([(file, first, last) for first, last in pairwise(lines)])

    def _filled(self, sources: Sequence[tuple[UserFile, int, int]]) -> bytes:
        found = [np.zeros((0, 5), dtype=np.int64)]
        for place, (source, first, last) in enumerate(sources):
            notes, scale = source.notes, self.file.ticks / source.ticks
            inside = (notes.onset >= first) & (notes.onset < last) & np.isin(notes.part, played(source))
            onset = np.rint((notes.onset[inside] - first) * scale).astype(np.int64)
            duration = np.maximum(1, np.rint(notes.duration[inside] * scale)).astype(np.int64)
            part = np.array([*played(self.file), 0])[np.searchsorted(played(source), notes.part[inside])]
            rows = np.stack([part, onset, duration, notes.pitch[inside], notes.velocity[inside]], 1)
            rows = rows[onset < self.lines[place + 1] - self.lines[place]]
            rows[:, 1] += self.lines[place]
            found.append(rows)
        return patched(self.file, self.asked.removed, NewNotes(*np.concatenate(found).T)).data


def played(file: UserFile) -> list[int]:
    """The places of the parts that are no drums."""
    return [place for place, part in enumerate(file.parts) if not part.is_drum]


def hole_in(file: UserFile, count: int, random: np.random.Generator) -> Hole | None:
    """So many bars of a file; None where it is too short."""
    whole = Asked.behind(file, 1)
    last = whole.bars.last - 1 - AROUND_HOLE - count + 1
    if last <= AROUND_HOLE:
        return None
    first = int(random.integers(1 + AROUND_HOLE, last + 1))
    return Hole(file, first, first + count - 1)


def half_of(file: UserFile, random: np.random.Generator) -> Hole | None:
    """The middle half of an excerpt of 16 bars, which is a file of its own."""
    whole = Asked.behind(file, 1)
    last = whole.bars.last - EXCERPT
    if last < 2:
        return None
    first = int(random.integers(1, last + 1))
    score = excerpt(file.as_score(), Asked.region(file, regions([f"bars {first}-{first + EXCERPT - 1}"])))
    if not len(notes_of(score)):
        return None
    cut = UserFile(score.dumps_midi(), file.name)
    begin = 1 + (EXCERPT - HALF) // 2
    return Hole(cut, begin, begin + HALF - 1)


def random_span(hole: Hole, files: Sequence[UserFile], random: np.random.Generator) -> bytes:
    """Filled by a place in one of the files, of as many parts, whose bars are as long if one of 300 is."""
    found: tuple[UserFile, list[int]] | None = None
    for _ in range(300):
        file = files[int(random.integers(len(files)))]
        at = Asked.behind(file, 1).bars.at[:-1]
        count = len(hole.lengths)
        if file.name == hole.file.name or len(played(file)) != len(played(hole.file)) or len(at) <= count:
            continue
        first = int(random.integers(len(at) - count))
        lines = at[first : first + count + 1].tolist()
        same = [Fraction(each, file.ticks) for each in np.diff(lines).tolist()] == hole.lengths
        found = (file, lines) if same or found is None else found
        if same:
            break
    if found is None:
        raise DiffmidiError("no other piece has as many parts.")
    return hole.other(*found)


def inside(file: UserFile, hole: Hole) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Onsets in quarter notes and pitches of the notes in the hole."""
    rows = (file.notes.onset >= hole.begin) & (file.notes.onset < hole.end)
    return (file.notes.onset[rows] - hole.begin) / file.ticks, file.notes.pitch[rows]


def likeness(file: UserFile, hole: Hole) -> Row:
    """What a filling has in common with the truth."""
    (ours, pitch), (theirs, true) = inside(file, hole), inside(hole.file, hole)
    one, two = (set(np.rint(each * 12).astype(int).tolist()) for each in (ours, theirs))
    counts = [np.bincount(each % 12, minlength=12).astype(float) for each in (pitch, true)]
    shares = [each / max(1.0, each.sum()) for each in counts]
    norm = float(np.linalg.norm(counts[0]) * np.linalg.norm(counts[1]))
    steps = max(1, round((hole.end - hole.begin) / hole.file.ticks * 4))
    grids = [
        np.bincount(np.minimum(np.rint(each * 4).astype(int), steps - 1), minlength=steps) > 0
        for each in (ours, theirs)
    ]
    return {
        "notes": len(pitch),
        "rhythm": 2 * len(one & two) / max(1, len(one) + len(two)),
        "pitch classes": float(np.minimum(*shares).sum()),
        "PCHO": float(counts[0] @ counts[1]) / norm if norm else 0.0,
        "groove": float((grids[0] == grids[1]).mean()),
        "density": len(pitch) / max(1, len(true)),
    }


def seam(file: UserFile, hole: Hole) -> float | None:
    """How far the two ends of the hole stand out; None where too few notes are around it."""
    notes = notes_of(file.score)
    places = np.arange(AROUND, len(notes) - AROUND + 1)
    ends = np.searchsorted(notes.onset, [hole.begin, hole.end])
    is_seam = np.isin(places, ends)
    elsewhere = (places + AROUND <= ends[0]) | (places - AROUND >= ends[1])
    if not is_seam.any() or not elsewhere.any():
        return None
    found = changes(notes, file.score.ticks_per_quarter).values()
    return float(np.mean([larger(each[is_seam], each[elsewhere]).mean() for each in found]))


def texts_of(file: UserFile, laid: Laid, bars: int) -> list[Ids] | None:
    """The cells of a hole as a file has them; None where it is not written bar by bar as it is laid out."""
    tokenizer = laid.hole.tokenizer
    ids = tokenizer.encode(file.as_score())
    texts = np.split(ids, tokenizer.starts(ids)[1:])
    if len(texts) != bars:
        return None
    cells = [cells_of(texts[free.bar], tokenizer) for free in laid.free]
    if any(place >= len(own) for own, (_, place) in zip(cells, laid.hole.free, strict=True)):
        return None
    return [own[place] for own, (_, place) in zip(cells, laid.hole.free, strict=True)]


@torch.no_grad()
def bits(model: Model, file: UserFile, hole: Hole) -> float | None:
    """What a judge charges for the new notes; None where it cannot write them."""
    asked = Asked.region(file, regions([hole.told]))
    try:
        laid = lay_out(
            file, asked.bars, asked.selection, model.tokenizer,
            length=model.length, window=model.bars, order=model.process.order,
        )  # fmt: skip
        texts = texts_of(file, laid, len(asked.bars))
    except DiffmidiError:
        return None
    if texts is None:
        return None
    windows = [*windows_of(laid.hole, texts)]
    if max(len(window.ids) for window in windows) > model.length:
        return None
    (value,) = bits_per_note(model, [Candidate(1, windows, 1, lambda: file.score)])
    return value


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


def measured(hole: Hole, answer: Callable[[], bytes], judges: Mapping[str, Model]) -> Row:
    """A filling, measured."""
    try:
        file = UserFile(answer(), "the answer")
    except DiffmidiError as error:
        return {"refused": str(error)[:160]}
    row = likeness(file, hole) | {"seam": seam(file, hole)}
    row["bits"] = {name: bits(model, file, hole) for name, model in judges.items()}
    return row


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
