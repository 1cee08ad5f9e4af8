"""Quality by steps: what each sampler makes of a trained model in 5 to 2000 evaluations, as a table and a plot.

    python examples/ablation/steps.py RUN [--samplers ddpm ddim ...] [--steps 5 10 ...] [--samples 16] [--out FOLDER]

A sampler may be followed by options: `ddim,eta=0.5`. For each it writes the overlap area with held-out music and the
grammar faults that the samples would have without the last rounding: to `steps.csv`, `steps.md` and `steps.png`. Rows
that `steps.csv` has already are not measured again.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch

from diffmidi_core.api import Canvas, Metric, Pipeline, Sample, Sampler
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.registry import find

STEPS = (5, 10, 20, 50, 200, 2000)
GAUSSIAN = ("ddpm", "ddim", "dpmpp", "dpmpp,eta=1", "heun")
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
    "faults",
    "changes",
    "seconds",
)
COLOURS = matplotlib.colormaps["tab20"].colors[::2] + matplotlib.colormaps["tab20"].colors[1::2]
WHOLE = 0.75
"""Windows at least so long, against what is drawn, are compared with; others are the ends of pieces."""


class Judge:
    """Compares samples with the run's held-out windows of their length."""

    def __init__(self, run: Path, pipeline: Pipeline, windows: int) -> None:
        self.pipeline, self.tokenizer = pipeline, pipeline.tokenizer
        dataset = TokenDataset(run / "data", self.tokenizer, length=pipeline.config.length)
        chosen = dataset.heldout(windows, seed=pipeline.config.seed)
        whole = [window for window in chosen if window.end - window.start >= WHOLE * pipeline.config.length]
        self.overlap: Metric = find("metric", "overlap_area").build({})
        self.reference = [self.overlap.measure(self._music(dataset.words(window))) for window in whole]

    def _music(self, ids: Any) -> Sample:
        return Sample(ids, self.tokenizer.decode(ids), self.tokenizer)

    def figures(self, rows: Sequence[Any]) -> dict[str, float | None]:
        """The mean overlap area over all features, its interval, and that of two halves of the held-out music."""
        said = self.overlap.summarise([self.overlap.measure(self._music(ids)) for ids in rows], self.reference)
        figure = said.get("mean") if isinstance(said, dict) else None
        if figure is None:
            return dict.fromkeys(("overlap", "low", "high", "heldout"))
        low, high = figure.interval or (None, None)
        return {"overlap": figure.value, "low": low, "high": high, "heldout": figure.reference}


def measure(judge: Judge, said: str, steps: int, count: int, seed: int) -> dict[str, Any]:
    """One row of the table."""
    name, *assigned = said.split(",")
    options = {key: _value(value) for key, _, value in (each.partition("=") for each in assigned)}
    pipeline, tokenizer = judge.pipeline, judge.tokenizer
    sampler: Sampler = find("sampler", name).build(options)
    length = tokenizer.grammar.longest(pipeline.config.length)
    canvas = Canvas.blank(count, length, device=str(pipeline.device))
    generator = torch.Generator(pipeline.device).manual_seed(seed)
    begun = time.perf_counter()
    with before_the_last_rounding(pipeline.process) as rounded:
        words, record = sampler.sample_with_record(pipeline.process, canvas, steps=steps, generator=generator)
    seconds = time.perf_counter() - begun
    loose = (rounded or [words])[-1][:, 1:-1].cpu().numpy()
    changes = record.get("grammar_changes")
    return {
        "sampler": said,
        "steps": steps,
        "samples": count,
        "seed": seed,
        "checkpoint": pipeline.step,
        **judge.figures(list(words[:, 1:-1].cpu().numpy().astype("int32"))),
        "faults": 100 * sum(tokenizer.faults(row) for row in loose) / loose.size,
        "changes": None if changes is None else 100 * float(changes.sum()) / loose.size,
        "seconds": seconds,
    }


@contextmanager
def before_the_last_rounding(process: Any) -> Iterator[list[torch.Tensor]]:
    """What a Gaussian process rounds to word by word, where the grammar is not asked; nothing of other processes."""
    found: list[torch.Tensor] = []
    words = getattr(process, "words", None)
    if words is None:
        yield found
        return

    def remembered(*given: Any) -> torch.Tensor:
        found[:] = [words(*given)]
        return found[0]

    process.words = remembered
    try:
        yield found
    finally:
        del process.words


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def table(rows: Sequence[dict[str, Any]], key: str, form: str) -> str:
    """A figure as a markdown table: samplers down, steps across."""
    steps = sorted({int(row["steps"]) for row in rows})
    found = {(row["sampler"], int(row["steps"])): row[key] for row in rows}
    lines = [
        "| sampler | " + " | ".join(f"{each} steps" for each in steps) + " |",
        "| --- |" + " ---: |" * len(steps),
    ]
    for sampler in dict.fromkeys(row["sampler"] for row in rows):
        cells = [found.get((sampler, each)) for each in steps]
        lines.append(f"| {sampler} | " + " | ".join("" if x in (None, "") else form % float(x) for x in cells) + " |")
    return "\n".join(lines)


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Both figures over the steps, one line a sampler."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 8), sharex=True, layout="constrained")
    for number, sampler in enumerate(dict.fromkeys(row["sampler"] for row in rows)):
        mine = sorted((row for row in rows if row["sampler"] == sampler), key=lambda row: int(row["steps"]))
        x = [int(row["steps"]) for row in mine]
        style = {"color": COLOURS[number % 20], "marker": "os^vD*Px"[number % 8], "label": sampler}
        overlap, low, high = ([float(row[key] or "nan") for row in mine] for key in ("overlap", "low", "high"))
        above.plot(x, overlap, **style)
        above.fill_between(x, low, high, color=style["color"], alpha=0.08, linewidth=0)
        below.plot(x, [float(row["faults"]) for row in mine], **style)
    heldout = next((float(row["heldout"]) for row in rows if row["heldout"]), None)
    if heldout is not None:
        above.axhline(heldout, color="black", linestyle="--", linewidth=1, label="held-out against itself")
    above.set(ylabel="overlap area with held-out music", xscale="log")
    below.set(ylabel="grammar faults before the last rounding, %", xlabel="evaluations of the network")
    below.set_ylim(0, max(1.0, below.get_ylim()[1]))
    below.set_xticks(sorted({int(row["steps"]) for row in rows}), labels=sorted({int(row["steps"]) for row in rows}))
    below.minorticks_off()
    above.legend(fontsize="small", ncols=2)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a trained run")
    parser.add_argument("--samplers", nargs="+", help="NAME or NAME,option=value,...; default: all of the run's family")
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--windows", type=int, default=64, help="held-out windows to compare with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where to write; default: RUN/steps")
    asked = parser.parse_args()
    out: Path = asked.out or asked.run / "steps"
    out.mkdir(parents=True, exist_ok=True)
    pipeline = Pipeline.from_pretrained(asked.run)
    judge = Judge(asked.run, pipeline, asked.windows)
    family = find("process", pipeline.config.process.name).load().family
    samplers = asked.samplers or (MASKED if family == "masked" else GAUSSIAN)
    kept = out / "steps.csv"
    rows: list[dict[str, Any]] = list(csv.DictReader(kept.open(encoding="utf-8"))) if kept.exists() else []
    same = (asked.samples, asked.seed, pipeline.step)

    def shown() -> list[dict[str, Any]]:
        return [row for row in rows if tuple(int(row[key]) for key in ("samples", "seed", "checkpoint")) == same]

    done = {(row["sampler"], int(row["steps"])) for row in shown()}
    for steps in asked.steps:
        for sampler in samplers:
            if (sampler, steps) in done:
                continue
            rows.append(measure(judge, sampler, steps, asked.samples, asked.seed))
            print({key: f"{x:.4g}" if isinstance(x, float) else x for key, x in rows[-1].items()}, flush=True)
            with kept.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
    said = [
        f"{asked.samples} samples a cell, seed {asked.seed}, {len(judge.reference)} held-out windows, "
        f"checkpoint {pipeline.step}.",
        f"Overlap area with held-out music:\n\n{table(shown(), 'overlap', '%.3f')}",
        f"Grammar faults before the last rounding, % of words:\n\n{table(shown(), 'faults', '%.2f')}",
        f"Words that the grammar changed in the last rounding, %:\n\n{table(shown(), 'changes', '%.2f')}",
    ]
    (out / "steps.md").write_text("\n\n".join(said) + "\n", encoding="utf-8")
    draw(shown(), out / "steps.png")


if __name__ == "__main__":
    main()
