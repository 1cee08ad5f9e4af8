"""All that is to be measured on a GPU, in one go of at most eight minutes.

    python benchmarks/device.py [--out runs/device] [--data FOLDER] [--minutes 8] [--only tests paper-bert ...]
    python benchmarks/device.py --tiny

It works part by part: the tests that need a GPU; training steps of each process and precision, small and base, at 130
and 1,024 positions; what of sampling is spent outside of the network; and the paper's GPU preset, BERT and ELECTRA.
Each part leaves OUT/NAME.json, a part that has it is not done again, and one that was cut off goes on where it was when
the same command is given again. OUT/table.md is made from those files. --tiny does the same at sizes of nothing, on any
machine, in seconds: it shows that the script runs, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `diffmidi` has it
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for once, by the first product

import torch
from device_commands import measure_paper, measure_tests
from device_speed import FAMILIES, SHARES, measure_sampling, measure_training

Row = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What the parts are done with.

    Attributes:
        out: the folder of the results.
        tiny: whether all of it is at sizes of nothing.
        data: a folder of MIDI files, or None for the chorales.
    """

    out: Path
    device: str
    tiny: bool
    data: str | None

    @property
    def precisions(self) -> tuple[str, ...]:
        return ("fp32", "bf16") if self.device == "cpu" else ("fp32", "bf16", "fp16")


@dataclass(frozen=True)
class Part:
    """Something measured by itself, in at most so many seconds.

    `measure(setting, rows, seconds)` adds to `rows` those that are not there yet; whether it came to its end.
    """

    name: str
    seconds: float
    measure: Callable[[Setting, list[Row], float], bool]


def parts(setting: Setting) -> list[Part]:
    """In the order in which they are worth having."""
    speed, sampling = [], []
    for size in ("tiny",) if setting.tiny else ("small", "base"):
        for positions in (16,) if setting.tiny else (130, 1024):
            speed.append(Part(f"training-{size}-{positions}", 20, training(size, positions)))
        sampling.append(Part(f"sampling-{size}", 20, shares(size, 16 if setting.tiny else 130)))
    paper = [Part(f"paper-{name}", 100, measure_paper(name)) for name in (("bert",) if setting.tiny else PAPER)]
    return [Part("tests", 150, measure_tests), *speed, *sampling, *paper]


PAPER = ("bert", "electra")


def training(size: str, positions: int) -> Callable[[Setting, list[Row], float], bool]:
    def measure(setting: Setting, rows: list[Row], seconds: float) -> bool:
        asked = [(family, precision) for family in FAMILIES for precision in setting.precisions]
        batch = 2 if setting.tiny else 64 * 130 // positions

        def one(family: str, precision: str) -> Row:
            return measure_training(family, precision, size, positions, batch, setting.device, tiny=setting.tiny)

        return each(asked, ("process", "precision"), one, rows, seconds)

    return measure


def shares(size: str, positions: int) -> Callable[[Setting, list[Row], float], bool]:
    def measure(setting: Setting, rows: list[Row], seconds: float) -> bool:
        precision = "fp32" if setting.device == "cpu" else "bf16"
        asked = [(sampler, pieces) for sampler in SHARES for pieces in ((1,) if setting.tiny else (1, 8, 16))]

        def one(sampler: str, pieces: int) -> Row:
            return measure_sampling(sampler, pieces, precision, size, positions, setting.device, tiny=setting.tiny)

        return each(asked, ("sampler", "pieces"), one, rows, seconds)

    return measure


def each(
    asked: list[tuple[Any, ...]], keys: tuple[str, ...], one: Callable[..., Row], rows: list[Row], seconds: float
) -> bool:
    """A row for each that has none yet, until the seconds are over. One that does not fit into memory says so."""
    begun, known = time.monotonic(), {tuple(row[key] for key in keys) for row in rows}
    for values in asked:
        if values in known:
            continue
        if time.monotonic() - begun > seconds:
            return False
        try:
            found = one(*values)
        except torch.OutOfMemoryError:
            found = {"failed": "out of memory"}
            torch.cuda.empty_cache()
        rows.append({**dict(zip(keys, values, strict=True)), **found})
    return True


def done(setting: Setting, part: Part, left: float) -> bool:
    """Do a part, or what is left of it, in at most so many seconds; whether its file is whole."""
    file = setting.out / f"{part.name}.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"whole": False, "rows": []}
    if kept["whole"]:
        print(f"{part.name}: there already", flush=True)
        return True
    begun, failed = time.monotonic(), None
    try:
        whole = part.measure(setting, kept["rows"], min(part.seconds, left))
    except Exception as error:  # the other parts are worth having all the same
        whole, failed = False, f"{error}" or type(error).__name__
    took = time.monotonic() - begun
    seconds = round(kept.get("seconds", 0) + took, 1)
    content = {"part": part.name, "whole": whole, "seconds": seconds, "machine": machine(setting), "failed": failed}
    beside = file.with_suffix(".tmp")
    beside.write_text(json.dumps({**content, "rows": kept["rows"]}, indent=2) + "\n", encoding="utf-8")
    beside.replace(file)
    ending = f", failed: {failed}" if failed else "" if whole else ", not done yet"
    print(f"{part.name}: {len(kept['rows'])} rows in {took:.0f} s{ending}", flush=True)
    return whole


def machine(setting: Setting) -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    if setting.device == "cuda":
        name = torch.cuda.get_device_name()
    return {"device": name, "torch": torch.__version__, "cuda": torch.version.cuda, "python": platform.python_version()}


def table(out: Path) -> str:
    """Markdown of all files in a folder of results."""
    text = ["# Measured by benchmarks/device.py", ""]
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob("*.json"))]
    machines = {json.dumps(file["machine"]): file["machine"] for file in files}
    text += ["; ".join(f"{name} {value}" for name, value in each.items() if value) for each in machines.values()]
    for file in files:
        text += ["", f"## {file['part']} ({file['seconds']} s{'' if file['whole'] else ', not done yet'})", ""]
        text += [f"It failed: {file['failed']}", ""] if file["failed"] else []
        columns = list(dict.fromkeys(column for row in file["rows"] for column in row))
        if columns:
            text += [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
            text += [f"| {' | '.join(cell(row.get(column)) for column in columns)} |" for row in file["rows"]]
    return "\n".join(text) + "\n"


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value).replace("|", "/").replace("\n", " ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/device"))
    parser.add_argument("--data", help="folder of MIDI files for the paper's runs (default: the chorales)")
    parser.add_argument("--minutes", type=float, default=8, help="after so many, no further part is begun")
    parser.add_argument("--only", nargs="+", metavar="PART", help="these parts, of those that it names as it goes")
    parser.add_argument("--tiny", action="store_true", help="sizes of nothing, on any machine")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() and not given.tiny else "cpu"
    if device == "cpu" and not given.tiny:
        parser.exit(2, "there is no GPU here: --tiny shows that the script runs.\n")
    setting = Setting(given.out.resolve(), device, given.tiny, given.data and str(Path(given.data).resolve()))
    asked = [part for part in parts(setting) if given.only is None or part.name in given.only]
    if unknown := sorted(set(given.only or ()) - {part.name for part in asked}):
        names = ", ".join(part.name for part in parts(setting))
        parser.exit(2, f"no part is called {unknown[0]}. There are: {names}.\n")
    setting.out.mkdir(parents=True, exist_ok=True)
    end, open_ = time.monotonic() + 60 * given.minutes, []
    for part in asked:
        left = end - time.monotonic()
        if left <= 0 or not done(setting, part, left):
            open_.append(part.name)
        (setting.out / "table.md").write_text(table(setting.out), encoding="utf-8")
    if open_:
        print(f"not done yet: {', '.join(open_)}. Give the same command again to go on.")
    print(f"the table: {setting.out / 'table.md'}")


if __name__ == "__main__":
    main()
