"""How near drawing comes to rules, and what it costs: pieces drawn with a control, beside pieces drawn without.

    python benchmarks/rules.py MODEL [--judge RUN] [--targets 20] [--steps 100] [--tries 8] [--redraws 8] [--pool 16]
        [--length '4 bars'] [--rules NAME ...] [--out FILE.json]

Each rule has as many targets (keys, ranges, progressions, curves; of `parallels`, which asks for nothing, as many
seeds). For target n, seed n, there is a piece by each of these ways:

- without: drawn without the control.
- best of N: of so many pieces drawn without it, the one of the least loss; `--tries` of them, and `--pool`.
- steps: with the control, the best of `--tries` candidates a step going on, no passage drawn anew.
- with: with the control, as `diffmidi sample --control` does it.
- label: asked for by the label of that name which the model was trained with, as it learned it and with guidance 2; the
  first of them with the control too. Where it has such a label, which of the rules is `key` alone.

The loss is what the control says, 0 where the rule is kept; of `key` and `range`, which are always obeyed, the share of
notes outside. What it costs are bits a note under the judge, Σ bits / Σ notes, beside those of `without` on the same
targets; the judge is by default the model itself, which favours what it draws. Intervals are of 95 %, bootstrapped over
targets. Seconds are of the CPU, one thread. `--out` is written piece by piece, and gone on with. `--tiny` does as
little as shows that it runs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from diffmidi import Pipeline
from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.key import KEYS
from diffmidi_core.music.notes import Score, notes_of
from diffmidi_core.registry import find

CHORDS = ("C", "Dm", "Em", "F", "G", "Am", "D7", "Bb", "G7", "E7")
SPANS = [(low, low + wide) for low in range(40, 68, 3) for wide in (12, 24)]
WITHOUT, WITH, STEPS = "without", "with", "steps"
LABELS = {"label": 0.0, "label, guidance 2": 2.0, "label and control": 0.0}
Options = dict[str, Any]
Row = dict[str, Any]
Outside = Callable[[Options, NDArray[np.int64]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Rule:
    """A control, what it is asked target by target, and which pitches are outside of it; None: it judges music."""

    name: str
    target: Callable[[int], Options]
    outside: Outside | None = None

    def losses(self, options: Options, pieces: Sequence[Score]) -> list[float]:
        """Of each piece."""
        if self.outside is None:
            return [float(each) for each in find("control", self.name).build(options).score(pieces)]
        pitches = [notes_of(piece).pitch for piece in pieces]
        return [float(self.outside(options, pitch).mean()) if len(pitch) else 0.0 for pitch in pitches]


def _curve(number: int) -> Options:
    return {"curve": " ".join(map(str, np.random.default_rng(number).integers(3, 20, 4)))}


def _progression(number: int) -> Options:
    return {"progression": " ".join(np.random.default_rng(number).choice(CHORDS, 4, replace=False))}


def _range(number: int) -> Options:
    low, high = SPANS[number % len(SPANS)]
    return {"low": str(low), "high": str(high)}


def _outside_key(options: Options, pitch: NDArray[np.int64]) -> NDArray[np.bool_]:
    from diffmidi_controls.declarations import scale

    return ~np.isin(pitch % 12, list(scale(options["key"], leading=True)))


def _outside_range(options: Options, pitch: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (pitch < int(options["low"])) | (pitch > int(options["high"]))


RULES = (
    Rule("key", lambda number: {"key": KEYS[number % len(KEYS)]}, _outside_key),
    Rule("range", _range, _outside_range),
    Rule("chords", _progression),
    Rule("density", _curve),
    Rule("parallels", lambda number: {}),
)


@dataclass
class Drawing:
    """Draws the pieces of one target after the other."""

    pipeline: Pipeline
    judge: Pipeline
    given: argparse.Namespace

    def rows(self, number: int, there: set[tuple[str, str]]) -> Iterator[Row]:
        """Those of a target that are not there yet, by rule and way."""
        pool: list[Score] = []
        judged: dict[int, Row] = {}
        seconds = 0.0
        for rule in (rule for rule in RULES if rule.name in self.given.rules):
            options = rule.target(number)
            for way in self.ways(rule):
                if (rule.name, way) in there:
                    continue
                row: Row = {"rule": rule.name, "way": way, "target": number, "asked": options}
                count = self.chosen_of(way)
                if count and not pool:
                    pool, seconds = self.drawn(number, self.given.pool)
                if count:
                    losses = rule.losses(options, pool[:count])
                    best = int(np.argmin(losses))
                    if best not in judged:
                        judged[best] = self.bits(pool[best])
                    cost = seconds * count / len(pool)
                    yield row | {"loss": losses[best], **judged[best], "seconds": round(cost, 2)}
                else:
                    (piece,), cost = self.drawn(number, 1, **self.how(rule, options, way))
                    loss = rule.losses(options, [piece])[0]
                    yield row | {"loss": loss, **self.bits(piece), "seconds": round(cost, 2)}

    def ways(self, rule: Rule) -> list[str]:
        """How pieces come about, of this rule."""
        free = [WITHOUT, *(f"best of {count}" for count in sorted({self.given.tries, self.given.pool}))]
        if rule.outside is None:
            return [*free, STEPS, WITH]
        known = {label.name for label in self.pipeline.model.manifest.labels}
        return [*free, WITH, *(LABELS if rule.name in known else ())]

    def chosen_of(self, way: str) -> int:
        """Of how many free pieces it is the best one; 0 where it is not drawn so."""
        return 1 if way == WITHOUT else int(way.removeprefix("best of ")) if way.startswith("best of ") else 0

    def how(self, rule: Rule, options: Options, way: str) -> dict[str, Any]:
        """What a request asks for."""
        found: dict[str, Any] = {}
        if way in LABELS:
            found = {"want": {rule.name: options[rule.name]}, "guidance": LABELS[way]}
        if way in (WITH, STEPS, "label and control"):
            redraws = 0 if way == STEPS else self.given.redraws
            found |= {"controls": {rule.name: options}, "tries": self.given.tries, "redraws": redraws}
        return found

    def drawn(self, seed: int, count: int, **how: Any) -> tuple[list[Score], float]:
        """Pieces, drawn together, and the CPU seconds that they took."""
        begun = time.process_time()
        request = self.pipeline.request(count, seed=seed, steps=self.given.steps, length=self.given.length, **how)
        pieces: list[Ids] = self.pipeline.draw(request)
        seconds = time.process_time() - begun
        return [self.pipeline.tokenizer.decode(ids, self.pipeline.model.timeline) for ids in pieces], seconds

    def bits(self, piece: Score) -> Row:
        """What the judge charges, None where it cannot read the piece."""
        try:
            found = self.judge.score(piece)
        except DiffmidiError:
            return {"bits": None, "notes": len(notes_of(piece))}
        return {"bits": round(float(found.bits), 3), "notes": int(found.notes)}


def resampled(rows: int) -> NDArray[np.int64]:
    """[2000, rows]."""
    return np.random.default_rng(0).integers(rows, size=(2000, rows))


def interval(values: NDArray[np.float64]) -> list[float]:
    """Of 95 %, from what was resampled."""
    return [round(float(each), 4) for each in np.quantile(values, [0.025, 0.975])]


def told(rows: Sequence[Row], without: Sequence[Row]) -> Row:
    """A rule and way as it is printed; both in the order of their targets."""
    losses = np.array([row["loss"] for row in rows])
    picks = resampled(len(rows))
    found: Row = {name: rows[0][name] for name in ("rule", "way")}
    found |= {"targets": len(rows), "loss": round(float(losses.mean()), 4), "95 %": interval(losses[picks].mean(1))}
    found["kept"] = round(float((losses <= 1e-9).mean()), 3)
    pairs = [(own, free) for own, free in zip(rows, without, strict=True) if own["bits"] and free["bits"]]
    if pairs:
        bits, notes, their_bits, their_notes = np.array(
            [(own["bits"], own["notes"], free["bits"], free["notes"]) for own, free in pairs]
        ).T
        picks = resampled(len(pairs))
        own_ratio, ratio = (
            bits[picks].sum(1) / notes[picks].sum(1),
            their_bits[picks].sum(1) / their_notes[picks].sum(1),
        )
        value, theirs = bits.sum() / notes.sum(), their_bits.sum() / their_notes.sum()
        found |= {"judged": len(pairs), "notes": int(notes.sum()), "bits a note": round(float(value), 3)}
        found |= {"bits 95 %": interval(own_ratio), "more": round(float(value - theirs), 3)}
        found["more 95 %"] = interval(own_ratio - ratio)
    return found | {"CPU s a piece": round(sum(row["seconds"] for row in rows) / len(rows), 2)}


def summary(rows: Sequence[Row]) -> list[Row]:
    """Of all pieces, a row for each rule and way."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["rule"], row["way"]), []).append(row)
    ways = {key: sorted(some, key=lambda row: row["target"]) for key, some in found.items()}
    return [
        told(some, [row for row in ways[rule, WITHOUT] if row["target"] < len(some)])
        for (rule, way), some in sorted(ways.items(), key=lambda each: [rule.name for rule in RULES].index(each[0][0]))
    ]


def begun(given: argparse.Namespace, settings: Row) -> list[Row]:
    """The pieces that a file has already, which were asked for as these are."""
    if given.out is None or not given.out.exists():
        return []
    stored = json.loads(given.out.read_text())
    if stored["settings"] != settings:
        raise SystemExit(f"{given.out} was made with other settings, {stored['settings']}: name another --out.")
    return list(stored["pieces"])


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--judge", type=Path, help="a run or model that charges the pieces (default: the model itself)")
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--tries", type=int, default=8)
    parser.add_argument("--redraws", type=int, default=8)
    parser.add_argument("--pool", type=int, default=16, help="free pieces that the best is chosen of")
    parser.add_argument("--length", default="4 bars", help="of pieces, as sample.length has it")
    parser.add_argument("--rules", nargs="+", default=[rule.name for rule in RULES], metavar="NAME")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args(arguments)
    if given.tiny:
        given.targets, given.steps, given.tries, given.redraws, given.pool = 2, 4, 2, 1, 3
    torch.set_num_threads(1)
    pipeline = Pipeline.from_pretrained(given.model, device="cpu")
    judge = pipeline if given.judge is None else Pipeline.from_pretrained(given.judge, device="cpu")
    settings = {name: getattr(given, name) for name in ("steps", "tries", "redraws", "pool", "length")}
    settings |= {"model": given.model.name, "judge": given.judge.name if given.judge else given.model.name}
    drawing, pieces = Drawing(pipeline, judge, given), begun(given, settings)
    for number in range(given.targets):
        for row in drawing.rows(number, {(row["rule"], row["way"]) for row in pieces if row["target"] == number}):
            pieces.append(row)
            if given.out:
                given.out.write_text(written(settings, pieces))
    rows = summary([row for row in pieces if row["target"] < given.targets and row["rule"] in given.rules])
    show(rows, f"{given.model}: {given.steps} steps, {given.tries} tries, {given.redraws} redraws")
    return rows


def written(settings: Row, pieces: Sequence[Row]) -> str:
    """A file of a line for each piece."""
    lines = ",\n".join(json.dumps(row) for row in pieces)
    return f'{{"settings": {json.dumps(settings)},\n"pieces": [\n{lines}\n]}}\n'


def show(rows: Sequence[Row], title: str) -> None:
    """Print the table."""
    table = Table(title=title)
    headings = list(dict.fromkeys(name for row in rows for name in row))
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        values = [row.get(heading, "") for heading in headings]
        table.add_row(*(f"{v[0]} to {v[1]}" if isinstance(v, list) else str(v) for v in values))
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
