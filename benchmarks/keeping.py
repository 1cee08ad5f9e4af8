"""What of a user's file is still there after bars of it were drawn anew: ours, beside midigpt, which draws nothing.

    python benchmarks/keeping.py MANIFEST.csv [--every 36] [--model starter] [--bars 5-8] [--rival PYTHON]
        [--out FILE.json]

Every so manieth file of a manifest (a CSV whose column `path` is below its own folder) is asked for: `infill` of these
bars (of shorter pieces the middle half), once with a model, and once with a filler that takes any token that may stand
at a place, so that no model could do worse. `--rival` is a Python in which midigpt is installed. Its weights are not
free, so it draws nothing: files are read by it and written again, which is the least that it does to them.

A file keeps its notes where every note outside of the bars has its onset, duration, pitch and velocity, in fractions of
a quarter note (or at least its onset and pitch); its pedal, tempi and metres, and events where all such events stand in
the answer, in whichever track, at their times. What is refused is counted apart. `--out` is written file by file, and
gone on with.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from diffmidi import Pipeline
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.draw.bars import Filled, drawn_together
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.bar_lines import BarLines
from diffmidi_core.registry import find
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.cells import lay_out
from diffmidi_core.steer.patching import others, patched
from diffmidi_core.steer.regions import regions
from diffmidi_core.steer.user_file import UserFile

LENGTH, WINDOW = 768, 8
"""Of the random filler: tokens and bars that it sees at once."""
MODEL, RANDOM, RIVAL = "infill by the model", "infill by the random filler", "midigpt, read and written"
KINDS = ("notes", "onsets and pitches", "pedal", "tempi and metres", "events")
REWRITE = """
import json, sys
import midigpt
for line in sys.stdin:
    source, target = json.loads(line)
    try:
        midigpt.Score.from_midi(source).to_midi(target)
        print(midigpt.__version__, flush=True)
    except Exception as error:
        print("refused:", type(error).__name__, str(error)[:80].replace(chr(10), " "), flush=True)
"""

Events = Counter[tuple[Any, ...]]


def contents(file: UserFile, rows: NDArray[np.bool_] | None = None) -> dict[str, Events]:
    """What a file holds, by kind; of its notes the `rows` [N]. Times are in quarter notes."""
    notes, unit = file.notes, file.ticks
    rows = np.ones(len(notes), dtype=bool) if rows is None else rows
    columns = (each[rows].tolist() for each in (notes.onset, notes.duration, notes.pitch, notes.velocity))
    told = Counter(
        (Fraction(onset, unit), Fraction(duration, unit), *rest)
        for onset, duration, *rest in zip(*columns, strict=True)
    )
    events = [(Fraction(event.tick, unit), event.data) for track in others(file) for event in track]
    return {
        "notes": told,
        "onsets and pitches": Counter((onset, pitch) for onset, _, pitch, _ in told.elements()),
        "pedal": Counter((time, data[2]) for time, data in events if data[0] >> 4 == 0xB and data[1] == 64),
        "tempi and metres": Counter(event for event in events if event[1][:2] in (b"\xff\x51", b"\xff\x58")),
        "events": Counter(events),
    }


def kept(before: Mapping[str, Events], after: Mapping[str, Events]) -> dict[str, list[int]]:
    """Of each kind how many are still there, and how many there were."""
    return {kind: [(before[kind] & after[kind]).total(), before[kind].total()] for kind in KINDS}


def hole_of(file: UserFile, wanted: str) -> Asked:
    """These bars of a file, or where it does not have that many and more, the middle half of them."""
    bars = BarLines.of(file.score, int(file.notes.end.max()))
    last = int(wanted.split("-")[-1])
    if bars.last <= last:
        quarter = max(1, len(bars) // 4)
        wanted = f"{bars.number(quarter)}-{bars.number(max(quarter, len(bars) - quarter - 1))}"
    return Asked.region(file, regions([f"bars {wanted}"]))


class Filler:
    """Takes any token that may stand at a place, by the numbers of a row."""

    def __init__(self, tokenizer: Any, seed: int) -> None:
        self.tokenizer, self.seed = tokenizer, seed

    def __call__(self, canvas: Canvas, rows: Sequence[tuple[int, int, int]], portions: int) -> Filled:
        ids = canvas.ids.numpy().copy()
        for row, key in enumerate(rows):
            random = np.random.default_rng([self.seed, *key])
            for place in np.flatnonzero(ids[row] == self.tokenizer.mask_id).tolist():
                ids[row, place] = random.choice(self._allowed(canvas, row, place))
        return ids, {}

    def _allowed(self, canvas: Canvas, row: int, place: int) -> NDArray[np.int64]:
        number, kind = int(canvas.allowed[row, place]), int(canvas.types[row, place])
        allowed = self.tokenizer.grammar.type_of == kind
        if number >= 0:
            allowed &= canvas.sets[number].numpy()
        return np.flatnonzero(allowed)


def by_filler(tokenizer: Any, asked: Asked, seed: int) -> bytes:
    """The file with what the filler draws."""
    laid = lay_out(asked.file, asked.bars, asked.selection, tokenizer, length=LENGTH, window=WINDOW, order="bars")
    (piece,) = drawn_together([laid.hole.work()], Filler(tokenizer, seed), laid.hole)
    new = laid.notes(piece.done, tokenizer)
    held = asked.selection.holds(new.part, new.onset, new.pitch)
    return patched(asked.file, asked.removed, new[held]).data


def by_model(pipeline: Pipeline, asked: Asked, seed: int) -> bytes:
    """The file with what the model draws."""
    (take,) = pipeline.takes(asked, pipeline.request(1, seed=seed))
    return take.patched.data


class Rival:
    """midigpt in a process of its own."""

    def __init__(self, python: str, folder: Path) -> None:
        self.target = folder / "answer.mid"
        self.version = ""
        self._process = subprocess.Popen(
            [python, "-c", REWRITE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, source: Path) -> bytes:
        """The file, read and written. Raises DiffmidiError where it is refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(source), str(self.target)]) + "\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline().strip()
        if not told or told.startswith("refused"):
            raise DiffmidiError(told or "refused: the process ended")
        self.version = told
        return self.target.read_bytes()


def measured(file: UserFile, asked: Asked, way: str, answer: Callable[[], bytes]) -> dict[str, Any]:
    """What is kept of a file in an answer; of all notes where nothing is drawn."""
    try:
        after = UserFile(answer(), "the answer")
    except DiffmidiError as error:
        return {"refused": str(error)[:160]}
    rows = None if way == RIVAL else ~asked.removed
    return kept(contents(file, rows), contents(after))


def table_of(rows: Iterable[Mapping[str, Any]]) -> Table:
    """How many files keep what, by way."""
    table = Table()
    for heading in ("way", "files", "refused", *(f"all {kind} kept" for kind in KINDS), "all of it", "notes kept"):
        table.add_column(heading, justify="right")
    rows = [*rows]
    for way in dict.fromkeys(row["way"] for row in rows):
        own = [row for row in rows if row["way"] == way]
        found = [row["kept"] for row in own if "refused" not in row["kept"]]
        whole = [[counts[kind][0] == counts[kind][1] for kind in KINDS] for counts in found]
        having = [sum(counts[kind][1] > 0 for counts in found) for kind in KINDS]
        keeping = [sum(counts[kind][0] == counts[kind][1] > 0 for counts in found) for kind in KINDS]
        some, every = (sum(counts["notes"][side] for counts in found) for side in (0, 1))
        table.add_row(
            way,
            str(len(found)),
            str(len(own) - len(found)),
            *(f"{files} of {all_of}" for files, all_of in zip(keeping, having, strict=True)),
            f"{sum(map(all, whole))} of {len(found)}",
            f"{some:,} of {every:,} ({some / max(1, every):.2%})",
        )
    return table


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--every", type=int, default=36)
    parser.add_argument("--model", help="a folder or the name of an installed model; by default only the filler")
    parser.add_argument("--bars", default="5-8")
    parser.add_argument("--rival", metavar="PYTHON")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with given.manifest.open(encoding="utf-8") as text:
        names = [row["path"] for row in csv.DictReader(text)][:: given.every]
    rows: list[dict[str, Any]] = []
    if given.out and given.out.is_file():
        rows = json.loads(given.out.read_text(encoding="utf-8"))
    done = {(row["file"], row["way"]) for row in rows}
    tokenizer = find("tokenizer", "mmm").build({"layout": "cells"})
    pipeline = Pipeline.from_pretrained(given.model, device="cpu") if given.model else None
    with tempfile.TemporaryDirectory() as folder:
        rival = Rival(given.rival, Path(folder)) if given.rival else None
        for number, name in enumerate(names):
            path = given.manifest.parent / name
            file = UserFile.read(path)
            asked = hole_of(file, given.bars)
            ways: dict[str, Callable[[], bytes]] = {
                RANDOM: lambda asked=asked, number=number: by_filler(tokenizer, asked, number)
            }
            if pipeline is not None:
                ways[MODEL] = lambda asked=asked, number=number: by_model(pipeline, asked, number)
            if rival is not None:
                ways[RIVAL] = lambda path=path: rival(path)
            for way, answer in ways.items():
                if (number, way) not in done:
                    rows.append({"file": number, "way": way, "kept": measured(file, asked, way, answer)})
            if given.out:
                given.out.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")
    Console(width=160).print(table_of(rows))
    return rows


if __name__ == "__main__":
    main()
