"""Which part is worth what, a table at a time: all rows alike but for the parts that their names say.

    python examples/ablation/ablation.py [--table upgrades] [--data FOLDER] [--out FOLDER] [--seeds 0 1] [--jobs 2]

`upgrades` of Diffusion-LM: each option alone, all together, and all together but for one. `bars`: layouts of tokens and
orders of drawing. `backbones` of equal size. It drives the `diffmidi` command, so that every row can be repeated by
hand, and goes on where it was when started again. All rows have the same music, seeds, steps and network, and the
bounds of one seed are measured on the same windows with the same noise: the standard error of a difference is less than
that of either figure. It prints what `diffmidi compare` says of the runs, and writes `table.csv`, a line for each run,
and `table.md`, a line for each row, its figures the means over the seeds.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import diffmidi
from diffmidi.api import DiffmidiError

HERE = Path(__file__).parent
CDCD = ("process.objective=cross_entropy",)
PLAID = (*CDCD, "process.output_prior=true")
ALL = (*PLAID, "process.typed=true", "process.sphere=true", "process.times=warp")
SMALL = (*ALL, "process.dim=32")
POSTERIOR = (*SMALL, "process.seen=posterior")
TOKENS = ("tokenizer.layout=aligned",)
"""A token at a time, without bars, as all processes take them; the presets say so themselves."""
FAITHFUL = ("--preset", "faithful")
Rows = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""Name of a row: flags, and options set by -o."""
UPGRADES: Rows = {
    "faithful": (FAITHFUL, ()),
    "+ typed": (FAITHFUL, ("process.typed=true",)),
    "+ anchor loss": (FAITHFUL, ("process.objective=anchor",)),
    "+ cross-entropy": (FAITHFUL, (*CDCD, "process.bound_prediction=raw")),
    "+ cross-entropy, output prior": (FAITHFUL, PLAID),
    "+ self-conditioning": (FAITHFUL, ("process.self_conditioning=true",)),
    "+ sphere": (FAITHFUL, ("process.sphere=true",)),
    "+ noise scale 2": (FAITHFUL, ("process.noise_scale=2",)),
    "+ importance-sampled t": (FAITHFUL, ("process.times=importance",)),
    "+ warped t": (FAITHFUL, ("process.times=warp",)),
    "+ D = 128": (FAITHFUL, ("process.dim=128",)),
    "+ neighbours": (FAITHFUL, ("process.neighbours=8",)),
    "all": (FAITHFUL, (*ALL, "process.dim=128")),
    "all, neighbours": (FAITHFUL, (*ALL, "process.dim=128", "process.neighbours=8")),
    "all, D = 64": (FAITHFUL, (*ALL, "process.dim=64")),
    "all, D = 64, self-conditioning": (FAITHFUL, (*ALL, "process.dim=64", "process.self_conditioning=true")),
    "all, D = 32": (FAITHFUL, SMALL),
    "all, D = 32, uniform t": (FAITHFUL, (*SMALL, "process.times=uniform")),
    "all, D = 32, not on the sphere": (FAITHFUL, (*SMALL, "process.sphere=false")),
    "all, D = 32, noise scale 2": (FAITHFUL, (*SMALL, "process.noise_scale=2")),
    "all, D = 32, not typed": (FAITHFUL, (*SMALL, "process.typed=false")),
    "all, D = 32, no output prior": (
        FAITHFUL,
        (*SMALL, "process.output_prior=false", "process.bound_prediction=raw"),
    ),
    "all, D = 32, mean squared error": (FAITHFUL, (*SMALL, "process.output_prior=false", "process.objective=mse")),
    "all, D = 32, posteriors seen": (FAITHFUL, POSTERIOR),
    "all, D = 32, posteriors seen, neighbours": (FAITHFUL, (*POSTERIOR, "process.neighbours=8")),
    "masked, no neighbours": (("--process", "masked"), (*TOKENS, "process.neighbours=0")),
    "masked": (("--process", "masked"), (*TOKENS, "process.neighbours=8")),
    "autoregressive": (("--process", "autoregressive"), (*TOKENS, "sample.steps=128")),
}
LEFT_TO_RIGHT = ("--process", "autoregressive", "--steps", "768")
IN_A_BAR = ("process.neighbours=3",)
GAUSSIAN = (*ALL, "process.dim=128", "process.notes=true")
LEARNS = ("process.dim=32", "process.seen=posterior", *IN_A_BAR)
BARS: Rows = {
    "cells, bars in order": ((), IN_A_BAR),
    "cells, any order": ((), (*IN_A_BAR, "process.order=none")),
    "cells, left to right": (LEFT_TO_RIGHT, ()),
    "shifts, any order": ((), (*TOKENS, *IN_A_BAR)),
    "shifts, normal noise": (("--process", "gaussian", "--schedule", "sqrt"), (*TOKENS, *GAUSSIAN)),
    "shifts, normal noise, upgraded": (("--process", "gaussian", "--schedule", "sqrt"), (*TOKENS, *GAUSSIAN, *LEARNS)),
    "shifts, left to right": (LEFT_TO_RIGHT, TOKENS),
    "cells, bars in order, no neighbours": ((), ("process.neighbours=0",)),
    "shifts, any order, a position a token": ((), (*TOKENS, "process.neighbours=12", "process.notes=false")),
    "shifts, left to right, a position a token": (LEFT_TO_RIGHT, (*TOKENS, "process.notes=false")),
}
SIZE = ("backbone.width=128", "backbone.layers=4", "backbone.heads=4", "backbone.dropout=0")
WIDER = (*SIZE, "backbone.feed_forward=512")
SLOWER = ("train.lr=5e-4",)
"""What BERT takes, whose norms stand behind the blocks: at four times this rate it stays at the level of counting."""
BACKBONES: Rows = {
    f"{process}, {name}": (("--backbone", name, *flags), (*options, *sizes))
    for process, flags, options in (("bars in order", (), IN_A_BAR), ("left to right", LEFT_TO_RIGHT, ()))
    for name, sizes in (
        ("modern", (*SIZE, "backbone.feed_forward=344")),
        ("bert", (*WIDER, *SLOWER)),
        ("electra", (*WIDER, "backbone.width=64", "backbone.hidden=128", *SLOWER)),
    )
}


class Grid(NamedTuple):
    """A table: its rows, the file of what they share, and the figures shown, the first with its error."""

    rows: Rows
    config: str
    figures: tuple[str, ...]


OF_BARS = (
    *("bits_per_note", "grammar_faults"),
    *("scale_consistency", "groove_consistency", "note_density", "polyphony_rate"),
)
GRIDS = {
    "upgrades": Grid(UPGRADES, "cpu.json", ("bound_bpw", "rounding_bpw", "grammar_changes")),
    "bars": Grid(BARS, "bars.json", OF_BARS),
    "backbones": Grid(BACKBONES, "bars.json", OF_BARS),
}
Row = dict[str, Any]


def folder_name(row: str, seed: int) -> str:
    return "".join(each if each.isalnum() else "-" for each in row).strip("-") + f"-{seed}"


def words_of(grid: Grid, row: str) -> list[str]:
    flags, options = grid.rows[row]
    return [*flags, *(word for option in options for word in ("-o", option))]


def trained(grid: Grid, row: str, seed: int, out: Path, common: list[str], threads: int) -> Path:
    """The run of a row, begun, gone on with or found finished."""
    run = out / folder_name(row, seed)
    if is_finished(run):
        return run
    new = [*common, "--seed", str(seed), *words_of(grid, row)]
    words = ["--resume", str(run)] if (run / "data").exists() else [*new, "--out", str(run)]
    print(f"{row}: diffmidi run", *words, flush=True)
    with (out / f"{run.name}.log").open("w", encoding="utf-8") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, "-m", "diffmidi_core", "run", *words]
        done = subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print(f"{row}: failed, see {log.name}", file=sys.stderr)
    return run


def is_finished(run: Path) -> bool:
    return (run / "draws" / "1" / "figures.json").exists()


def line_of(grid: Grid, row: str, seed: int, said: Row) -> Row:
    """A line of the table, of what `diffmidi compare` says of a run."""
    return {
        "row": row,
        "seed": seed,
        **{name: said.get(name) for name in grid.figures},
        "error": said.get(f"{grid.figures[0]}.error"),
        "seconds": said["iterations"] / said["steps/s (median)"],
        "parameters": said["parameters"],
        "options": " ".join(words_of(grid, row)),
    }


def table(grid: Grid, lines: list[Row]) -> str:
    """In Markdown, a row for the runs of one name: the first figure of each seed, and means over the seeds."""
    first, *others = grid.figures
    heads = ["", f"`{first}`", "by seed", *(f"`{name}`" for name in others), "seconds", "parameters"]
    shown = [f"| {' | '.join(heads)} |", f"| --- | ---: | --- |{' ---: |' * (len(heads) - 3)}"]
    for row in dict.fromkeys(line["row"] for line in lines):
        mine = [line for line in lines if line["row"] == row]

        def mean_of(name: str, form: str, mine: list[Row] = mine) -> str:
            values = [line[name] for line in mine if line[name] is not None]
            return form.format(mean(values)) if values else "-"

        cells = [
            row,
            f"{mean_of(first, '{:.3f}')} ± {mean_of('error', '{:.3f}')}",
            " / ".join(f"{line[first]:.2f}" for line in mine),
            *(mean_of(name, "{:.5f}" if name == "rounding_bpw" else "{:.2f}") for name in others),
            mean_of("seconds", "{:.0f}"),
            f"{mine[0]['parameters']:,}",
        ]
        shown.append(f"| {' | '.join(cells)} |")
    return "\n".join(shown) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=GRIDS, default="upgrades")
    parser.add_argument("--config", type=Path, help="what all rows share (default: the file of the table)")
    parser.add_argument("--data", help="folder of MIDI files (default: the chorales in music21)")
    parser.add_argument("--out", type=Path, help="default: runs/ablation, or runs/TABLE")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--jobs", type=int, default=1, help="rows trained side by side, with the cores shared out")
    parser.add_argument("--only", nargs="*", metavar="ROW", help="these rows alone")
    given = parser.parse_args()
    grid = GRIDS[given.table]
    if unknown := set(given.only or ()) - set(grid.rows):
        parser.error(f"there is no row {min(unknown)!r} in table {given.table}: it has {', '.join(grid.rows)}")
    out = given.out or Path("runs") / ("ablation" if given.table == "upgrades" else given.table)
    out.mkdir(parents=True, exist_ok=True)
    common = ["--config", str(given.config or HERE / grid.config), *(("--data", given.data) if given.data else ())]
    threads = max(1, (os.cpu_count() or 1) // given.jobs)
    chosen = [(row, seed) for seed in given.seeds for row in given.only or grid.rows]
    with ThreadPoolExecutor(given.jobs) as pool:
        runs = list(pool.map(lambda each: trained(grid, *each, out, common, threads), chosen))
    finished = {run: each for run, each in zip(runs, chosen, strict=True) if is_finished(run)}
    if not finished:
        sys.exit("no run has come to its figures: see the logs named above")
    try:
        said = diffmidi.compare(finished, figure=grid.figures, transpose=True)
    except DiffmidiError as error:
        sys.exit(str(error))
    lines = [line_of(grid, *each, of_run) for each, of_run in zip(finished.values(), said, strict=True)]
    with (out / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("row", "seed", *grid.figures, "error", "seconds", "parameters", "options"))
        writer.writeheader()
        writer.writerows(lines)
    (out / "table.md").write_text(table(grid, lines), encoding="utf-8")
    print(f"Wrote {out / 'table.csv'} and table.md.")


if __name__ == "__main__":
    main()
