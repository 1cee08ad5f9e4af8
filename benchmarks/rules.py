"""How near drawing comes to rules: the loss of pieces drawn with a control, beside those drawn without it.

    python benchmarks/rules.py MODEL [--targets 20] [--steps 100] [--tries 8] [--redraws 8] [--bars 4] [--out FILE.json]

Each rule has as many targets (keys, ranges, progressions, curves; of `parallels` as many seeds). A piece is drawn for
each without the control and, from the same seed, with it; of those that judge music also without passages drawn anew.
Losses are those that the controls say; of `key` and `range`, which are always obeyed, the share of notes outside.
Intervals are bootstrapped over targets. `--tiny` does as little as shows that it runs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from diffmidi import Pipeline
from diffmidi_core.music.key import KEYS
from diffmidi_core.music.notes import Score, notes_of
from diffmidi_core.registry import find

CHORDS = ("C", "Dm", "Em", "F", "G", "Am", "D7", "Bb", "G7", "E7")
SPANS = [(low, low + wide) for low in range(40, 68, 3) for wide in (12, 24)]


@dataclass(frozen=True)
class Rule:
    """A control, what it is asked target by target, and how its loss is measured; None: by itself."""

    name: str
    target: Callable[[int], dict[str, Any]]
    outside: Callable[[dict[str, Any], np.ndarray], np.ndarray] | None = None


def _curve(number: int) -> dict[str, Any]:
    return {"curve": " ".join(map(str, np.random.default_rng(number).integers(3, 20, 4)))}


def _progression(number: int) -> dict[str, Any]:
    return {"progression": " ".join(np.random.default_rng(number).choice(CHORDS, 4, replace=False))}


def _range(number: int) -> dict[str, Any]:
    low, high = SPANS[number % len(SPANS)]
    return {"low": str(low), "high": str(high)}


def _outside_key(options: dict[str, Any], pitch: np.ndarray) -> np.ndarray:
    from diffmidi_controls.declarations import scale

    return ~np.isin(pitch % 12, list(scale(options["key"], leading=True)))


RULES = (
    Rule("key", lambda number: {"key": KEYS[number % len(KEYS)]}, _outside_key),
    Rule("range", _range, lambda asked, pitch: (pitch < int(asked["low"])) | (pitch > int(asked["high"]))),
    Rule("chords", _progression),
    Rule("density", _curve),
    Rule("parallels", lambda number: {}),
)


@dataclass
class Row:
    """The losses of a rule by target, and the seconds of all."""

    rule: str
    way: str
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def told(self) -> dict[str, Any]:
        """The row as it is printed and written."""
        values = np.array(self.losses)
        picks = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
        low, high = np.quantile(values[picks].mean(1), [0.025, 0.975])
        return {
            "rule": self.rule,
            "way": self.way,
            "targets": len(values),
            "loss": round(float(values.mean()), 4),
            "95 %": [round(float(low), 4), round(float(high), 4)],
            "kept": round(float((values <= 1e-9).mean()), 3),
            "s per piece": round(self.seconds / len(values), 2),
        }


def measured(pipeline: Pipeline, rule: Rule, way: str, targets: int, given: argparse.Namespace) -> Row:
    """The losses of one piece a target."""
    row = Row(rule.name, way)
    for number in range(targets):
        options = rule.target(number)
        begun = time.perf_counter()
        piece = drawn(pipeline, rule.name, options, way, number, given)
        row.seconds += time.perf_counter() - begun
        row.losses.append(loss_of(rule, options, piece))
    return row


def drawn(
    pipeline: Pipeline, name: str, options: dict[str, Any], way: str, seed: int, given: argparse.Namespace
) -> Score:
    """A piece."""
    how: dict[str, Any] = {"seed": seed, "steps": given.steps, "length": given.length}
    if way != "without":
        how |= {"controls": {name: options}, "tries": given.tries}
        how["redraws"] = 0 if way == "steps alone" else given.redraws
    request = pipeline.request(1, **how)
    (ids,) = pipeline.draw(request)
    return pipeline.tokenizer.decode(ids, pipeline.model.timeline)


def loss_of(rule: Rule, options: dict[str, Any], piece: Score) -> float:
    """What the rule says of the piece."""
    if rule.outside is None:
        return float(find("control", rule.name).build(options).score([piece])[0])
    pitch = notes_of(piece).pitch
    return float(rule.outside(options, pitch).mean()) if len(pitch) else 0.0


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--tries", type=int, default=8)
    parser.add_argument("--redraws", type=int, default=8)
    parser.add_argument("--length", default="4 bars", help="of pieces, as sample.length has it")
    parser.add_argument("--rules", nargs="+", default=[rule.name for rule in RULES], metavar="NAME")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args(arguments)
    if given.tiny:
        given.targets, given.steps, given.tries, given.redraws = 2, 4, 2, 1
    torch.set_num_threads(1)
    pipeline = Pipeline.from_pretrained(given.model, device="cpu")
    rows = []
    for rule in (rule for rule in RULES if rule.name in given.rules):
        for way in ("without", "with") if rule.outside else ("without", "steps alone", "with"):
            rows.append(measured(pipeline, rule, way, given.targets, given).told())
            if given.out:
                given.out.write_text(json.dumps(rows, indent=1))
    table = Table(title=f"{given.model}: {given.steps} steps, {given.tries} tries, {given.redraws} redraws")
    for heading in rows[0]:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            *(f"{value[0]} to {value[1]}" if isinstance(value, list) else str(value) for value in row.values())
        )
    Console(width=120).print(table)
    return rows


if __name__ == "__main__":
    main()
