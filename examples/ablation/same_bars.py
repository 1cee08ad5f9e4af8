"""Layouts of tokens on the same held-out bars: what the music of each window costs every run, whatever its own windows.

    python examples/ablation/same_bars.py RUN [RUN ...] [--windows 32] [--levels 4] [--out same_bars.json]

Runs of one seed have the same test pieces. Of each seed, windows of the test music of the first run that is laid out in
bars are decoded, and each run of that seed is asked what they cost as pieces of their own (`Pipeline.score`), in its
own tokens: exact, or at most so much. A note costs all that is charged over how many notes there are; what stands for
bars, tracks, counts, metre and tempo is told apart, since one layout says it and another does not.

Rows of the table are runs that are called alike but for their seed ("NAME-0", "NAME-1"). Intervals of 95 % are
bootstrapped over windows within each seed; *beside* is the difference from the first row on the same windows. The file
is written run by run, and gone on with.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffmidi import Pipeline, Score
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.machine.build import build_tokenizer
from diffmidi_core.saved.folder import RunFolder

OF_NOTES = ("pitch", "velocity", "duration", "time", "shift", "special")
"""Types of tokens, in every layout, that tell notes and where they begin and end."""
RESAMPLED = 10_000
Costs = dict[str, list[list[float]]]
"""By run: of each window all bits, those of types outside of `OF_NOTES`, and notes."""


def windows_of(run: Path, count: int) -> list[Score]:
    """The windows of a run's test music, decoded."""
    config = RunFolder.open(run).config()
    tokenizer = build_tokenizer(config)
    dataset = TokenDataset(run / "data", tokenizer, length=config.length, bars=config.bars)
    return [tokenizer.decode(dataset.tokens(window)) for window in dataset.test(count)]


def has_bars(run: Path) -> bool:
    """Whether its tokens tell bars."""
    return "bar" in build_tokenizer(RunFolder.open(run).config()).grammar.types


def costs_of(run: Path, windows: list[Score], levels: int) -> list[list[float]]:
    """What each window costs a run."""
    pipeline, found = Pipeline.from_pretrained(run), []
    for window in windows:
        score = pipeline.score(window, levels=levels)
        beside = sum(each.bits for kind, each in score.by_type.items() if kind not in OF_NOTES)
        found.append([score.bits, beside, score.notes])
    return found


def interval(samples: NDArray[np.float64]) -> list[float]:
    """The middle 95 %."""
    return [float(each) for each in np.quantile(samples, [0.025, 0.975])]


def row_of(costs: list[NDArray[np.float64]], first: list[NDArray[np.float64]]) -> dict[str, Any]:
    """A row's figures from the windows of each of its seeds; `first` has those of the first row."""
    generator = np.random.default_rng(0)
    drawn, apart = [], []
    for mine, other in zip(costs, first, strict=True):
        index = generator.integers(len(mine), size=(RESAMPLED, len(mine)))
        drawn.append(mine[index, 0].sum(1) / mine[index, 2].sum(1))
        apart.append(drawn[-1] - other[index, 0].sum(1) / other[index, 2].sum(1))
    return {
        "by_seed": [float(each[:, 0].sum() / each[:, 2].sum()) for each in costs],
        "value": float(np.mean([each[:, 0].sum() / each[:, 2].sum() for each in costs])),
        "interval": interval(np.mean(drawn, 0)),
        "beside_notes": float(np.mean([each[:, 1].sum() / each[:, 2].sum() for each in costs])),
        "apart": float(np.mean(np.mean(apart, 0))),
        "apart_interval": interval(np.mean(apart, 0)),
        "windows": sum(map(len, costs)),
        "notes": int(sum(each[:, 2].sum() for each in costs)),
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """In Markdown."""
    lines = [
        "| | windows | bits per note | by seed | of it beside notes | beside the first row |",
        "| --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for name, row in rows.items():
        told = "{:.2f} [{:.2f}, {:.2f}]".format(row["value"], *row["interval"])
        apart = "{:+.2f} [{:+.2f}, {:+.2f}]".format(row["apart"], *row["apart_interval"])
        seeds = " / ".join(f"{each:.2f}" for each in row["by_seed"])
        lines.append(f"| {name} | {row['windows']} | {told} | {seeds} | {row['beside_notes']:.2f} | {apart} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--windows", type=int, default=32, help="windows of the test music of each seed")
    parser.add_argument("--levels", type=int, default=4, help="noise levels of a bound, of each window")
    parser.add_argument("--out", type=Path, default=Path("same_bars.json"))
    given = parser.parse_args()
    seeds = {run: int(RunFolder.open(run).config().seed) for run in given.runs}
    costs: Costs = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    for seed in sorted(set(seeds.values())):
        runs = [run for run, its in seeds.items() if its == seed]
        missing = [run for run in runs if str(run) not in costs]
        windows = windows_of(next(run for run in runs if has_bars(run)), given.windows) if missing else []
        for run in missing:
            costs[str(run)] = costs_of(run, windows, given.levels)
            given.out.write_text(json.dumps(costs) + "\n", encoding="utf-8")
            print(run, "has its figures", flush=True)
    named: dict[str, list[NDArray[np.float64]]] = {}
    for run, _ in sorted(seeds.items(), key=lambda each: each[1]):
        named.setdefault(run.name.rsplit("-", 1)[0], []).append(np.array(costs[str(run)]))
    first = next(iter(named.values()))
    print(table({name: row_of(each, first) for name, each in named.items() if len(each) == len(first)}))


if __name__ == "__main__":
    main()
