"""Quality by steps: what each sampler makes of a trained model in 5 to 2000 evaluations, as a table and a plot.

    python examples/ablation/steps.py RUN [--judge RUN] [--samplers ddpm ddim ...] [--steps 5 10 ...] [--seeds 0 1 2]

A sampler may be followed by options: `ddim,eta=0.5`. For each it writes the overlap area with held-out music, how much
less that is than after the most steps, and the grammar faults that the samples would have without the last rounding: to
`steps.csv` (a line for each seed), `steps.md` and `steps.png` (means over the seeds). Lines that `steps.csv` has are
not measured again.

`--judge` names a run, trained with another seed, that says how many bits a note of the samples costs it (metric
`judge`). The entropy of its tokens within their type stands beside it: samples that repeat themselves are cheap, and
have less of it than held-out music.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch

from diffmidi import Pipeline
from diffmidi.api.metric import Metric, Sample
from diffmidi.api.sampler import Canvas, RowDraws, Sampler
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.registry import find

Row = dict[str, Any]
STEPS = (5, 10, 20, 50, 200, 2000)
GAUSSIAN = ("ddpm", "ddim", "dpmpp", "dpmpp,spacing=time", "heun")
MASKED = ("ancestral", "confidence", "remask")
COLUMNS = (
    "sampler",
    "steps",
    "samples",
    "seed",
    "checkpoint",
    "overlap",
    "low",
    "high",
    "heldout",
    "bits",
    "heldout bits",
    "entropy",
    "heldout entropy",
    "faults",
    "changes",
    "seconds",
)
COLOURS = matplotlib.colormaps["tab20"].colors[::2] + matplotlib.colormaps["tab20"].colors[1::2]
PANELS = {
    "overlap": "overlap area with held-out music",
    "bits": "bits per note under the judge",
    "entropy": "entropy of tokens in their type, bits",
    "faults": "grammar faults before rounding, %",
}


class Judge:
    """Compares samples with windows of their length, of music that the run was not trained on."""

    def __init__(self, run: Path, pipeline: Pipeline, windows: int, *, model: Path | None = None) -> None:
        self.pipeline, self.tokenizer = pipeline, pipeline.tokenizer
        music = ReferenceMusic(run / "data", self.tokenizer, length=pipeline.model.length, bars=pipeline.model.bars)
        heldout = [self._music(music.dataset.tokens(window)) for window in music.whole_windows(windows)]
        name, options = ("judge", {"model": str(model)}) if model else ("overlap_area", {})
        self.metric: Metric = find("metric", name).build(options)
        self.reference = [self.metric.measure(each) for each in heldout]

    def _music(self, ids: Any) -> Sample:
        return Sample(ids, self.tokenizer.decode(ids), self.tokenizer)

    def figures(self, rows: Sequence[Any]) -> dict[str, float | None]:
        """Each figure and that of the held-out music, and the interval of the overlap."""
        said = self.metric.summarise([self.metric.measure(self._music(ids)) for ids in rows], self.reference)
        said = said if isinstance(said, dict) else {}
        overlap, bits, entropy = (said.get(name) for name in ("overlap", "bits", "entropy"))
        overlap = overlap or said.get("mean")
        low, high = overlap.interval or (None, None) if overlap else (None, None)
        return {
            "overlap": overlap and overlap.value,
            "low": low,
            "high": high,
            "heldout": overlap and overlap.reference,
            "bits": bits and bits.value,
            "heldout bits": bits and bits.reference,
            "entropy": entropy and entropy.value,
            "heldout entropy": entropy and entropy.reference,
        }


def measure(judge: Judge, said: str, steps: int, count: int, seed: int) -> Row:
    """One row of the table."""
    name, *assigned = said.split(",")
    options = {key: _value(value) for key, _, value in (each.partition("=") for each in assigned)}
    pipeline, tokenizer = judge.pipeline, judge.tokenizer
    sampler: Sampler = find("sampler", name).build(options)
    length = tokenizer.grammar.longest(pipeline.model.length)
    canvas = Canvas.blank(count, length, device=str(pipeline.device))
    draws = RowDraws.seeded(seed, count, pipeline.device)
    begun = time.perf_counter()
    with before_the_last_rounding(pipeline.process) as rounded:
        found = sampler.sample(pipeline.process, canvas, steps=steps, draws=draws)
    words, record = found.ids, found.record
    seconds = time.perf_counter() - begun
    loose = (rounded or [words])[-1][:, 1:-1].cpu().numpy()
    changes = record.get("grammar_changes")
    rows = list(words[:, 1:-1].cpu().numpy().astype("int32"))
    return {
        "sampler": said,
        "steps": steps,
        "samples": count,
        "seed": seed,
        "checkpoint": pipeline.model.step,
        **judge.figures(rows),
        "faults": 100 * sum(tokenizer.faults(row) for row in loose) / loose.size,
        "changes": None if changes is None else 100 * float(changes.sum()) / loose.size,
        "seconds": seconds,
    }


@contextmanager
def before_the_last_rounding(process: Any) -> Iterator[list[torch.Tensor]]:
    """What a Gaussian process rounds to word by word, where the grammar is not asked; nothing of other processes."""
    found: list[torch.Tensor] = []
    words = getattr(process, "rounded", None)
    if words is None:
        yield found
        return

    def remembered(*given: Any) -> torch.Tensor:
        found[:] = [words(*given)]
        return found[0]

    process.rounded = remembered
    try:
        yield found
    finally:
        del process.rounded


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def cells(rows: Sequence[Row], key: str) -> dict[tuple[str, int], dict[int, float]]:
    """What was measured of a figure, by seed, for each sampler and number of steps."""
    found: dict[tuple[str, int], dict[int, float]] = {}
    for row in rows:
        if row[key] not in (None, ""):
            found.setdefault((row["sampler"], int(row["steps"])), {})[int(row["seed"])] = float(row[key])
    return found


def table(rows: Sequence[Row], key: str, form: str) -> str:
    """Means over the seeds as a markdown table: samplers down, steps across."""
    return _markdown(rows, {at: form % mean(seeds.values()) for at, seeds in cells(rows, key).items()})


def half_widths(rows: Sequence[Row]) -> dict[tuple[str, int], float]:
    """Of the 95 % intervals of the mean overlaps, by the bootstrap over samples; fewer than two samples have none."""
    low, high = cells(rows, "low"), cells(rows, "high")
    return {
        at: sum(((seeds[seed] - low[at][seed]) / 2) ** 2 for seed in seeds) ** 0.5 / len(seeds)
        for at, seeds in high.items()
    }


def losses(rows: Sequence[Row]) -> str:
    """How much less the overlap is than after the most steps of the same sampler, ± half of its interval."""
    overlap, width, said = cells(rows, "overlap"), half_widths(rows), {}
    for sampler, steps in width:
        most = (sampler, max(each for name, each in width if name == sampler))
        if steps < most[1]:
            lost = mean(overlap[most].values()) - mean(overlap[sampler, steps].values())
            said[sampler, steps] = f"{lost:+.3f} ± {math.hypot(width[sampler, steps], width[most]):.3f}"
    return _markdown(rows, said)


def _markdown(rows: Sequence[Row], said: dict[tuple[str, int], str]) -> str:
    steps = sorted({at[1] for at in said})
    lines = [
        "| sampler | " + " | ".join(f"{each} steps" for each in steps) + " |",
        "| --- |" + " ---: |" * len(steps),
    ]
    for sampler in dict.fromkeys(row["sampler"] for row in rows):
        lines.append(f"| {sampler} | " + " | ".join(said.get((sampler, each), "") for each in steps) + " |")
    return "\n".join(lines)


def draw(rows: Sequence[Row], heldout: dict[str, float], path: Path) -> None:
    """Each figure over the steps, one line a sampler, the overlap with its 95 % interval; `heldout` is drawn across."""
    said = {key: cells(rows, key) for key in PANELS}
    without_faults = not any(any(seeds.values()) for seeds in said["faults"].values())
    panels = [key for key, found in said.items() if found and not (key == "faults" and without_faults)]
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(8, 1 + 3 * len(panels)), sharex=True, squeeze=False, layout="constrained"
    )
    width = half_widths(rows)
    for axis, key in zip(axes[:, 0], panels, strict=True):
        for number, sampler in enumerate(dict.fromkeys(row["sampler"] for row in rows)):
            x = sorted(steps for name, steps in said[key] if name == sampler)
            style = {"color": COLOURS[number % 20], "marker": "os^vD*Px"[number % 8], "label": sampler}
            means = np.array([mean(said[key][sampler, steps].values()) for steps in x])
            axis.plot(x, means, **style)
            if key == "overlap":
                widths = np.array([width.get((sampler, steps), float("nan")) for steps in x])
                axis.fill_between(x, means - widths, means + widths, color=style["color"], alpha=0.08, linewidth=0)
        if key in heldout:
            axis.axhline(heldout[key], color="black", linestyle="--", linewidth=1, label="held-out music")
        axis.set(ylabel=PANELS[key], xscale="log")
    steps = sorted({int(row["steps"]) for row in rows})
    last = axes[-1, 0]
    last.set(xlabel="evaluations of the network" + ("; no cell has grammar faults" if without_faults else ""))
    last.set_xticks(steps, labels=steps)
    last.minorticks_off()
    axes[0, 0].legend(fontsize="small", ncols=2)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a trained run")
    parser.add_argument("--judge", type=Path, metavar="RUN", help="a run that says what samples cost")
    parser.add_argument("--samplers", nargs="+", help="NAME or NAME,option=value,...; default: all of the run's family")
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument(
        "--windows", type=int, default=64, help="windows of music that it was not trained on to compare with"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, help="where to write; default: RUN/steps")
    asked = parser.parse_args()
    out: Path = asked.out or asked.run / "steps"
    out.mkdir(parents=True, exist_ok=True)
    pipeline = Pipeline.from_pretrained(asked.run)
    judge = Judge(asked.run, pipeline, asked.windows, model=asked.judge)
    family = find("process", pipeline.model.parts["process"].spec).process().family
    samplers = asked.samplers or (MASKED if family == "masked" else GAUSSIAN)
    kept = out / "steps.csv"
    rows: list[Row] = []
    if kept.exists():
        with kept.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))

    def shown() -> list[Row]:
        """Those of the seeds, the number of samples and the checkpoint that were asked for."""
        same = (asked.samples, pipeline.model.step)
        of_these = [row for row in rows if tuple(int(row[key]) for key in ("samples", "checkpoint")) == same]
        return [row for row in of_these if int(row["seed"]) in asked.seeds]

    done = {(row["sampler"], int(row["steps"]), int(row["seed"])) for row in shown()}
    for steps, seed, sampler in itertools.product(asked.steps, asked.seeds, samplers):
        if (sampler, steps, seed) in done:
            continue
        rows.append(measure(judge, sampler, steps, asked.samples, seed))
        print({key: f"{x:.4g}" if isinstance(x, float) else x for key, x in rows[-1].items()}, flush=True)
        with kept.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    lines = shown()
    columns = {"overlap": "heldout", "bits": "heldout bits", "entropy": "heldout entropy"}
    heldout = {
        key: value
        for key, column in columns.items()
        if (value := next((float(row[column]) for row in lines if row[column] not in (None, "")), None)) is not None
    }
    said = [
        f"{asked.samples} samples of each of the seeds {', '.join(map(str, asked.seeds))} in a cell, "
        f"{len(judge.reference)} held-out windows, checkpoint {pipeline.model.step}.",
        f"Overlap area with held-out music:\n\n{table(lines, 'overlap', '%.3f')}",
        f"How much less than after the most steps:\n\n{losses(lines)}",
        f"Grammar faults before the last rounding, % of tokens:\n\n{table(lines, 'faults', '%.2f')}",
        f"Words that the grammar changed in the last rounding, %:\n\n{table(lines, 'changes', '%.2f')}",
    ]
    if "bits" in heldout:
        said += [
            f"Entropy of tokens within their type, bits (held-out music: {heldout['entropy']:.2f}):\n\n"
            f"{table(lines, 'entropy', '%.2f')}",
            f"Bits per note under the judge (held-out music: {heldout['bits']:.2f}):\n\n{table(lines, 'bits', '%.2f')}",
        ]
    (out / "steps.md").write_text("\n\n".join(said) + "\n", encoding="utf-8")
    draw(lines, heldout, out / "steps.png")


if __name__ == "__main__":
    main()
