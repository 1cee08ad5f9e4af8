"""Quality by steps and by sampler: a trained model's music judged by figures that are read together.

    python examples/ablation/steps.py RUN --judge RUN [--samplers confidence confidence,temperature=0.9,best=4 ...]
        [--steps 16 48 96 192] [--seeds 0 1]

A sampler may be followed by options (others are its defaults, not those of the model), and by `best=k`: of k pieces the
one that costs the model itself the fewest bits a note; `@16` behind it are its own steps in place of `--steps`.
`judge:NAME` draws from the judge. Steps are those of a window: where a piece is drawn bar by bar they are shared out
over the heads and the notes of each bar, one each at least, so that eight bars take sixteen.

`--judge` names a run, trained by itself, that says how many bits a note of the samples costs it (metric `judge`) and
makes the features of a Fréchet distance (`frechet`). Entropy of its tokens within their type and overlap with held-out
music stand beside both: samples that repeat themselves are cheap, and have less of either. The row `songs` is held-out
music, too: windows of pieces of which no window is in what all rows are compared with.

`steps.csv` gets a line for each seed, which is not measured again, `pieces.jsonl` the pieces that were drawn (with it,
figures are made anew without drawing); `steps.md` and `steps.png` show means over the seeds.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from steps_shown import FIGURES, Row, shown

from diffmidi import Pipeline
from diffmidi.api.metric import Metric, Sample
from diffmidi_core.draw.pieces import Computing, pieces
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.machine.precision import autocast, resolve_precision
from diffmidi_core.registry import find

Ids = NDArray[np.integer]
STEPS = (16, 48, 96, 192, 384)
PLAIN_STEPS = (5, 10, 20, 50, 200)
"""Of models that draw a window at once."""
GAUSSIAN = ("ddpm", "ddim", "dpmpp", "dpmpp,spacing=time", "heun")
MASKED = ("ancestral", "confidence", "remask")
SONGS, BY_JUDGE = "songs", "judge:"
AT_ONCE = 32
"""Pieces that are drawn together."""
FEWEST = 12
"""Pieces of held-out music of which a third can be set aside."""
COLUMNS = (
    *("sampler", "steps", "samples", "seed", "checkpoint", "length"),
    *(f"{name}{more}" for name in FIGURES for more in ("", " low", " high", " heldout")),
    *("notes", "faults", "changes", "seconds"),
)


class Drawn(NamedTuple):
    """Pieces, the faults there were before the last rounding and what it changed, % of tokens, and CPU seconds."""

    ids: list[Ids]
    faults: float | None = None
    changes: float | None = None
    seconds: float | None = None


class Judge:
    """Compares pieces with windows of music that the run was not trained on."""

    def __init__(self, run: Path, pipeline: Pipeline, windows: int, model: Path | None) -> None:
        self.pipeline, self.tokenizer = pipeline, pipeline.tokenizer
        self.other = Pipeline.from_pretrained(model) if model else None
        music = ReferenceMusic(run / "data", self.tokenizer, length=pipeline.model.length, bars=pipeline.model.bars)
        found = music.whole_windows(windows)
        known = sorted({window.piece for window in found})
        aside = {*known[::3]} if len(known) >= FEWEST else set[int]()
        self.songs = [music.dataset.tokens(window) for window in found if window.piece in aside]
        rest = [music.dataset.tokens(window) for window in found if window.piece not in aside]
        asked = {"model": str(model)}
        options: dict[str, Any] = {"judge": asked, "frechet": asked} if model else {"overlap_area": {}}
        self.metrics: list[Metric] = [find("metric", name).build(given) for name, given in options.items()]
        music_of = [self._music(ids) for ids in rest]
        self.reference = [[metric.measure(each) for each in music_of] for metric in self.metrics]

    def _music(self, ids: Ids) -> Sample:
        return Sample(ids, self.tokenizer.decode(ids), self.tokenizer)

    def figures(self, drawn: Sequence[Ids]) -> dict[str, float | None]:
        """Each figure, its interval, and that of the held-out music."""
        music, found = [self._music(ids) for ids in drawn], {}
        for metric, reference in zip(self.metrics, self.reference, strict=True):
            told = metric.summarise([metric.measure(each) for each in music], reference)
            found |= told if isinstance(told, dict) else {"frechet": told}
        found["overlap"] = found.get("overlap") or found.get("mean")
        row: dict[str, float | None] = {}
        for name in FIGURES:
            figure = found.get(name)
            low, high = (figure and figure.interval) or (None, None)
            row |= {name: figure and figure.value, f"{name} low": low, f"{name} high": high}
            row[f"{name} heldout"] = figure and figure.reference
        return row

    def draw(self, said: str, steps: int, count: int, seed: int, length: str | None) -> Drawn:
        """Pieces by a sampler as the command line has it."""
        own = not said.startswith(BY_JUDGE)
        pipeline = self.pipeline if own else self.other
        if pipeline is None:
            raise SystemExit(f"{said}: name a judge (--judge RUN)")
        name, *assigned = said.removeprefix(BY_JUDGE).split(",")
        # The sampler's own defaults, not those that the model draws with.
        options = find("sampler", name).sampler().options().model_dump()
        options |= {key: _value(value) for key, _, value in (each.partition("=") for each in assigned)}
        tries = int(options.pop("best", 1))
        request = pipeline.request(
            count * tries, seed=seed, steps=steps or None, length=length, sampler=name, options=options
        ).model_copy(update={"batch_size": AT_ONCE})
        precision = resolve_precision(pipeline.model.precision)
        computing = Computing(partial(autocast, precision, pipeline.device))
        begun = time.process_time()
        ids, loose, changed = list[Ids](), list[tuple[int, int]](), list[int]()
        with before_the_last_rounding(pipeline.process) as rounded:
            for some in pieces(pipeline.model, request, computing):
                ids += [piece.ids for piece in some]
                changed += [piece.record["grammar_changes"] for piece in some if "grammar_changes" in piece.record]
                rows = [piece.ids for piece in some]
                if rounded:
                    rows = [row[1 : 1 + len(own)] for row, own in zip(rounded[-1].cpu().numpy(), rows, strict=True)]
                loose += [(pipeline.tokenizer.faults(row), len(row)) for row in rows]
        if tries > 1:
            bits = [pipeline.score(pipeline.tokenizer.decode(each)).per_note if len(each) else np.inf for each in ids]
            best = np.array(bits).reshape(count, tries).argmin(-1) + tries * np.arange(count)
            ids = [ids[number] for number in best]
        tokens = max(1, sum(size for _, size in loose))
        return Drawn(
            ids,
            100 * sum(faults for faults, _ in loose) / tokens,
            100 * sum(changed) / tokens if changed else None,
            time.process_time() - begun,
        )


@contextmanager
def before_the_last_rounding(process: Any) -> Iterator[list[torch.Tensor]]:
    """What a Gaussian process rounds to token by token, where the grammar is not asked; nothing of other processes."""
    found: list[torch.Tensor] = []
    tokens = getattr(process, "rounded", None)
    if tokens is None:
        yield found
        return

    def remembered(*given: Any) -> torch.Tensor:
        found[:] = [tokens(*given)]
        return found[0]

    process.rounded = remembered
    try:
        yield found
    finally:
        del process.rounded


def cell(said: str, steps: int) -> tuple[str, int]:
    """A sampler and its steps: its own where it says some, 0 where it takes as many as there are tokens."""
    sampler, _, own = said.partition("@")
    by_token = find("sampler", sampler.removeprefix(BY_JUDGE).partition(",")[0]).sampler().step_per_token
    return sampler, 0 if by_token else int(own or steps)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


class Kept:
    """The lines of `steps.csv` and the pieces of `pieces.jsonl`, of one number of samples, checkpoint and length."""

    def __init__(self, out: Path, samples: int, checkpoint: int, length: str) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.table, self.pieces = out / "steps.csv", out / "pieces.jsonl"
        self.of = {"samples": samples, "checkpoint": checkpoint, "length": length}
        self.rows: list[Row] = []
        if self.table.exists():
            with self.table.open(encoding="utf-8", newline="") as file:
                self.rows = list(csv.DictReader(file))

    def own(self) -> list[Row]:
        """Those lines that are of the same."""
        return [row for row in self.rows if all(row[key] == str(value) for key, value in self.of.items())]

    def drawn(self, at: dict[str, Any]) -> Drawn | None:
        """What was drawn for such a line."""
        wanted = {key: str(value) for key, value in (self.of | at).items()}
        for line in self.pieces.read_text(encoding="utf-8").splitlines() if self.pieces.exists() else ():
            told = json.loads(line)
            if told["at"] == wanted:
                return Drawn(*([np.array(each, dtype=np.int32) for each in told["ids"]], *told["more"]))
        return None

    def keep(self, at: dict[str, Any], drawn: Drawn) -> None:
        """Add what was drawn."""
        ids, *more = drawn
        told = {"at": {key: str(value) for key, value in (self.of | at).items()}}
        with self.pieces.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told | {"ids": [each.tolist() for each in ids], "more": more}) + "\n")

    def add(self, row: Row) -> None:
        """Add a line."""
        self.rows.append({key: "" if value is None else str(value) for key, value in (self.of | row).items()})
        with self.table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a trained run")
    parser.add_argument("--judge", type=Path, metavar="RUN", help="a run that says what samples cost")
    parser.add_argument("--samplers", nargs="+", help="NAME or NAME,option=value,...; default: all of the run's family")
    parser.add_argument("--steps", nargs="+", type=int)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument(
        "--windows", type=int, default=192, help="windows of music that it was not trained on; a third are `songs`"
    )
    parser.add_argument("--length", help="of the pieces; default: a window of whole bars, or as the model has it")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, help="where to write; default: RUN/steps")
    asked = parser.parse_args()
    pipeline = Pipeline.from_pretrained(asked.run)
    in_bars = bool(pipeline.tokenizer.plan)
    length = asked.length or (f"{pipeline.model.bars} bars" if in_bars else None)
    family = find("process", pipeline.model.parts["process"].spec).process().family
    samplers = asked.samplers or (MASKED if family == "masked" else GAUSSIAN)
    judge = Judge(asked.run, pipeline, asked.windows, asked.judge)
    out: Path = asked.out or asked.run / "steps"
    kept = Kept(out, asked.samples, pipeline.model.step, length or "")
    cells = [(SONGS, 0, 0)] if judge.songs else []
    all_steps = asked.steps or (STEPS if in_bars else PLAIN_STEPS)
    cells += [(*cell(said, steps), seed) for seed, said, steps in itertools.product(asked.seeds, samplers, all_steps)]
    done = {(row["sampler"], int(row["steps"]), int(row["seed"])) for row in kept.own()}
    for said, steps, seed in dict.fromkeys(cells):
        if (said, steps, seed) in done:
            continue
        at = {"sampler": said, "steps": steps, "seed": seed}
        if said == SONGS:
            drawn = Drawn(judge.songs[: asked.samples])
        elif (found := kept.drawn(at)) is None:
            drawn = judge.draw(said, steps, asked.samples, seed, length)
            kept.keep(at, drawn)
        else:
            drawn = found
        notes = float(np.mean([pipeline.tokenizer.count_notes(ids) for ids in drawn.ids]))
        more = {"faults": drawn.faults, "changes": drawn.changes, "seconds": drawn.seconds, "notes": notes}
        row = at | judge.figures(drawn.ids) | more
        kept.add(row)
        print({key: f"{x:.4g}" if isinstance(x, float) else x for key, x in row.items()}, flush=True)
    lines = [row for row in kept.own() if row["sampler"] == SONGS or int(row["seed"]) in asked.seeds]
    head = (
        f"{asked.samples} pieces of each of the seeds {', '.join(map(str, asked.seeds))} in a cell, beside "
        f"{len(judge.reference[0])} windows of held-out music, checkpoint {pipeline.model.step}."
    )
    shown(lines, head, out)


if __name__ == "__main__":
    main()
