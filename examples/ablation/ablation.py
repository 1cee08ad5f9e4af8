"""Which upgrade of Diffusion-LM is worth what: each option alone, all together, and all together but for one.

    python examples/ablation/ablation.py [--config FILE] [--data FOLDER] [--out runs/ablation] [--seeds 0 1] [--jobs 2]

It drives the `diffmidi` command, so that every row can be repeated by hand, and goes on where it was when started
again. All rows have the same music, seeds, steps and network, and the bounds of one seed are measured on the same
windows with the same noise: the standard error of a difference is less than that of either figure. It writes
`table.csv`, a line for each run, and `table.md`, a line for each row, its figures the means over the seeds.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, median
from typing import Any

HERE = Path(__file__).parent
CDCD = ("process.objective=cross_entropy",)
PLAID = (*CDCD, "process.output_prior=true")
SMALL = ("process.dim=32",)
TOKENS = ("tokenizer.layout=aligned",)
"""A token at a time, without bars, as all processes take them; the presets say so themselves."""
FAITHFUL, UPGRADED = ("--preset", "faithful"), ("--preset", "upgraded")
ROWS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
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
    "upgraded": (UPGRADED, ()),
    "upgraded, neighbours": (UPGRADED, ("process.neighbours=8",)),
    "upgraded, D = 64": (UPGRADED, ("process.dim=64",)),
    "upgraded, D = 64, self-conditioning": (UPGRADED, ("process.dim=64", "process.self_conditioning=true")),
    "upgraded, D = 32": (UPGRADED, SMALL),
    "upgraded, D = 32, uniform t": (UPGRADED, (*SMALL, "process.times=uniform")),
    "upgraded, D = 32, not on the sphere": (UPGRADED, (*SMALL, "process.sphere=false")),
    "upgraded, D = 32, noise scale 2": (UPGRADED, (*SMALL, "process.noise_scale=2")),
    "upgraded, D = 32, not typed": (UPGRADED, (*SMALL, "process.typed=false")),
    "upgraded, D = 32, no output prior": (
        UPGRADED,
        (*SMALL, "process.output_prior=false", "process.bound_prediction=raw"),
    ),
    "upgraded, D = 32, mean squared error": (UPGRADED, (*SMALL, "process.output_prior=false", "process.objective=mse")),
    "masked, no neighbours": (("--process", "masked"), (*TOKENS, "process.neighbours=0")),
    "masked": (("--process", "masked"), (*TOKENS, "process.neighbours=8")),
    "autoregressive": (("--process", "autoregressive"), (*TOKENS, "sample.steps=128")),
}
"""Name of a row: flags, and options set by -o."""
FIGURES = ("bound_bpw", "rounding_bpw", "grammar_changes")
HEADER = ("row", "seed", *FIGURES, "error", "seconds", "parameters", "options")
Row = dict[str, Any]


def folder_name(row: str, seed: int) -> str:
    return "".join(each if each.isalnum() else "-" for each in row).strip("-") + f"-{seed}"


def trained(row: str, seed: int, out: Path, common: list[str], threads: int) -> Path:
    """The run of a row, begun, gone on with or found finished."""
    run = out / folder_name(row, seed)
    if found(run) is not None:
        return run
    flags, options = ROWS[row]
    new = [*common, "--seed", str(seed), *flags, *(word for option in options for word in ("-o", option))]
    words = ["--resume", str(run)] if (run / "data").exists() else [*new, "--out", str(run)]
    print(f"{row}: diffmidi run", *words, flush=True)
    with (out / f"{run.name}.log").open("w", encoding="utf-8") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, "-m", "diffmidi_core", "run", *words]
        done = subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print(f"{row}: failed, see {log.name}", file=sys.stderr)
    return run


def found(run: Path) -> dict[str, Any] | None:
    """The figures of a run's checkpoint and of its first draw; None where it has not come so far."""
    draw = run / "draws" / "1" / "figures.json"
    if not draw.exists():
        return None
    files = [max((run / "figures").glob("step-*.json"), key=lambda file: file.stat().st_mtime), draw]
    return {name: said for file in files for name, said in read(file)["figures"].items()}


def read(file: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return said


def measured(row: str, seed: int, run: Path) -> Row | None:
    """A line of the table; None where the run has not come so far."""
    figures = found(run)
    if figures is None:
        return None
    facts = read(run / "run.json")
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    speeds = [line["steps_per_second"] for line in log if "steps_per_second" in line]
    return {
        "row": row,
        "seed": seed,
        **{name: (figures.get(name) or {}).get("value") for name in FIGURES},
        "error": figures["bound_bpw"]["error"],
        "seconds": facts["iterations"] / median(speeds),
        "parameters": facts["parameters"],
        "options": " ".join(word for words in ROWS[row] for word in words),
    }


def table(lines: list[Row]) -> str:
    """In Markdown, a row for the runs of one name: the bound of each seed, and means over the seeds."""
    shown = [
        "| | `bound_bpw` | by seed | `rounding_bpw` | `grammar_changes`, % | seconds | parameters |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in dict.fromkeys(line["row"] for line in lines):
        mine = [line for line in lines if line["row"] == row]

        def mean_of(name: str, form: str, mine: list[Row] = mine) -> str:
            values = [line[name] for line in mine if line[name] is not None]
            return form.format(mean(values)) if values else "-"

        cells = [
            row,
            f"{mean_of('bound_bpw', '{:.3f}')} ± {mean_of('error', '{:.3f}')}",
            " / ".join(f"{line['bound_bpw']:.2f}" for line in mine),
            mean_of("rounding_bpw", "{:.5f}"),
            mean_of("grammar_changes", "{:.2f}"),
            mean_of("seconds", "{:.0f}"),
            f"{mine[0]['parameters']:,}",
        ]
        shown.append(f"| {' | '.join(cells)} |")
    return "\n".join(shown) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=HERE / "cpu.json")
    parser.add_argument("--data", help="folder of MIDI files (default: the chorales in music21)")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--jobs", type=int, default=1, help="rows trained side by side, with the cores shared out")
    parser.add_argument("--only", nargs="*", choices=ROWS, metavar="ROW", help="these rows alone")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    common = ["--config", str(given.config), *(("--data", given.data) if given.data else ())]
    threads = max(1, (os.cpu_count() or 1) // given.jobs)
    chosen = [(row, seed) for seed in given.seeds for row in given.only or ROWS]
    with ThreadPoolExecutor(given.jobs) as pool:
        runs = list(pool.map(lambda each: trained(*each, given.out, common, threads), chosen))
    all_lines = (measured(*each, run) for each, run in zip(chosen, runs, strict=True))
    lines = [line for line in all_lines if line is not None]
    with (given.out / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        writer.writerows(lines)
    text = table(lines)
    (given.out / "table.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
