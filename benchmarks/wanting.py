"""How often pieces are what was asked of a model that was trained with labels, and what they cost a judge.

    python benchmarks/wanting.py MODEL [--judge RUN] [--want density=low,high ...] [--guidance 0 2] [--best-of 2]
        [--count 25] [--seeds 0 1] [--bars 4] [--steps N] [--out FILE.json]

For each value that is asked so many pieces are drawn of each seed, of the same ones in every way: by each weight of
classifier-free guidance, of which 0 is asked without it; and without it the one of N that is nearest to what was asked,
the first of them where several are. Guidance asks the network twice a step, so that the best of two costs as many
evaluations. Beside them stand pieces of which nothing was asked: how often music has the value by itself.

A piece is what its tokens measure, as labels of training windows are. `near` are bins next to the one asked, and of a
key its relative, parallel, dominant and subdominant. The correlation is Pearson's of the bins asked and obtained. Bits
are those per note under the judge, by default the model itself, which favours music that it finds likely: name another
run. Intervals are of 95 %: Wilson's, and of bits by resampling pieces.

`--want` may be repeated. Rows of `--out` are written one by one, seed by seed, and a run that was stopped goes on with
them. `--tiny` does as little as shows that it runs.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from diffmidi import Pipeline
from diffmidi.api.tokenizer import Ids
from diffmidi_core.data.known_labels import UNSAID, KnownLabel
from diffmidi_core.data.told import obtained
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.key import KEYS

WANTED = (
    "key=D minor,G major",
    "density=very low,medium,very high",
    "register=very low,medium,very high",
    "polyphony=very low,medium,very high",
    "velocity=very soft,medium,very loud",
    "tempo=very slow,medium,very fast",
)
ANY = "nothing asked"
Row = dict[str, Any]
Pair = tuple[int, int]
"""The numbers of the values asked and obtained."""


class Kept:
    """Rows in a file, written one by one. A row is one way of drawing for one target and one seed."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.rows = path, list[Row]()
        if path is not None and path.is_file():
            self.rows = json.loads(path.read_text(encoding="utf-8"))

    def find(self, **key: Any) -> Row | None:
        """The row with these values."""
        return next((row for row in self.rows if all(row.get(name) == value for name, value in key.items())), None)

    def add(self, row: Row) -> None:
        """One row more."""
        self.rows.append(row)
        if self.path is not None:
            lines = ",\n".join(map(json.dumps, self.rows))
            self.path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


class Bench:
    """A model, a judge, and what is drawn of them.

    Args:
        given: the flags.
    """

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.pipeline = Pipeline.from_pretrained(given.model, device="cpu")
        self.judge = self.pipeline if given.judge is None else Pipeline.from_pretrained(given.judge, device="cpu")
        self.known = {label.name: label for label in self.pipeline.model.manifest.labels}
        if not self.known:
            raise DiffmidiError(
                f"{given.model} was trained without labels: name one that `diffmidi labels` lists any of."
            )

    def drawn(self, count: int, seed: int, **asked: Any) -> list[Ids]:
        """Pieces, all at once; the first of them are the same however many there are."""
        given = self.given
        length = f"{given.bars} bars" if self.pipeline.tokenizer.plan else None
        request = self.pipeline.request(count, seed=seed, steps=given.steps, length=length, **asked)
        return self.pipeline.draw(request.model_copy(update={"batch_size": count}))

    def numbers(self, pieces: Sequence[Ids]) -> dict[str, list[int]]:
        """By label the number of the value that each piece has, UNSAID where it has none."""
        found = [obtained([*self.known.values()], self.pipeline.tokenizer.decode(ids)) for ids in pieces]
        return {name: [label.number(each.get(name)) for each in found] for name, label in self.known.items()}

    def row(self, key: Row, pieces: Sequence[Ids], numbers: Any) -> Row:
        """What is kept of pieces; `numbers` as `numbers` gives them, of all labels or of the target's."""
        return {**key, "obtained": numbers, "bits": bits(self.pipeline, self.judge, pieces)}


def bits(pipeline: Pipeline, judge: Pipeline, pieces: Sequence[Ids]) -> list[tuple[float, int] | None]:
    """What each piece costs a judge, and its notes; None for what it cannot read."""
    found: list[tuple[float, int] | None] = []
    for ids in pieces:
        try:
            scored = judge.score(pipeline.tokenizer.decode(ids, pipeline.model.timeline))
        except DiffmidiError:
            found.append(None)
        else:
            found.append((round(scored.bits, 2), scored.notes))
    return found


def near(label: KnownLabel, asked: int, found: int) -> bool:
    """Whether a value obtained is the one asked, or next to it."""
    if found == UNSAID:
        return False
    if label.edges:
        return abs(asked - found) <= 1
    return asked == found or (label.name == "key" and max(asked, found) <= len(KEYS) and related(asked - 1, found - 1))


def related(one: int, other: int) -> bool:
    """Whether a key, by its number in KEYS, is the relative, parallel, dominant or subdominant of another."""
    (mode, tonic), (mode_too, tonic_too) = divmod(one, 12), divmod(other, 12)
    apart = (tonic_too - tonic) % 12
    if mode == mode_too:
        return apart in (5, 7)
    return apart in ((0, 9) if mode == 0 else (0, 3))


def best(label: KnownLabel, asked: int, found: Sequence[int]) -> int:
    """Which of some values obtained is nearest to the one asked; the first of those that are equally near."""

    def distance(number: int) -> float:
        if number == UNSAID:
            return math.inf
        return abs(number - asked) if label.edges else float(number != asked) + float(not near(label, asked, number))

    return min(range(len(found)), key=lambda place: distance(found[place]))


def measure(bench: Bench, targets: Sequence[tuple[str, str]], kept: Kept) -> None:
    """Rows for each seed and target in every way, as far as they are not there."""
    for seed in bench.given.seeds:
        key = {"way": ANY, "label": "", "value": "", "seed": seed}
        if kept.find(**key) is None:
            pieces = bench.drawn(bench.given.count, seed)
            kept.add(bench.row(key, pieces, bench.numbers(pieces)))
        for name, value in targets:
            for weight in bench.given.guidance:
                asked_by(bench, {"label": name, "value": value, "seed": seed}, weight, kept)


def asked_by(bench: Bench, target: Row, weight: float, kept: Kept) -> None:
    """The rows of a target by one weight; of weight 0 the one of the best of some, too."""
    count, label = bench.given.count, bench.known[target["label"]]
    several = bench.given.best_of if weight == 0 else 1
    plain, chosen = {"way": f"guidance {weight:g}", **target}, {"way": f"best of {several}", **target}
    if kept.find(**(chosen if several > 1 else plain)) is not None:
        return
    pieces = bench.drawn(several * count, target["seed"], want={label.name: target["value"]}, guidance=weight)
    numbers = bench.numbers(pieces)[label.name]
    if kept.find(**plain) is None:
        kept.add(bench.row(plain, pieces[:count], numbers[:count]))
    if several > 1:
        asked = label.number(target["value"])
        places = [row + count * best(label, asked, numbers[row::count]) for row in range(count)]
        kept.add(bench.row(chosen, [pieces[place] for place in places], [numbers[place] for place in places]))
    print(*plain.values(), flush=True)


def told(rows: Sequence[Row], known: Mapping[str, KnownLabel]) -> list[Row]:
    """The table: a row for each label and way, over the targets of the label."""
    asked = [(row["label"], row["value"]) for row in rows if row["way"] != ANY]
    free = [row for row in rows if row["way"] == ANY]
    found = []
    for name in dict.fromkeys(label for label, _ in asked):
        label, values = known[name], [*dict.fromkeys(value for one, value in asked if one == name)]
        drawn = [number for row in free for number in row["obtained"][name]]
        pairs = [(label.number(value), number) for value in values for number in drawn]
        if pairs:
            found.append(
                {"label": name, "way": ANY, **figures(label, pairs, [each for row in free for each in row["bits"]])}
            )
        for way in dict.fromkeys(row["way"] for row in rows if row["label"] == name):
            own = [row for row in rows if row["label"] == name and row["way"] == way]
            pairs = [(label.number(row["value"]), number) for row in own for number in row["obtained"]]
            found.append(
                {"label": name, "way": way, **figures(label, pairs, [each for row in own for each in row["bits"]])}
            )
    return found


def figures(label: KnownLabel, pairs: Sequence[Pair], bits: Sequence[Sequence[float] | None]) -> Row:
    """The figures of pieces, one for each of `bits`; pieces of which nothing was asked are in several pairs."""
    exact = sum(asked == found for asked, found in pairs)
    close = sum(near(label, asked, found) for asked, found in pairs)
    asked, found = np.array([pair for pair in pairs if UNSAID not in pair], dtype=float).reshape(-1, 2).T
    varied = label.edges and np.ptp(asked) > 0 and np.ptp(found) > 0 if len(asked) else False
    return {
        "pieces": len(bits),
        "exact": share(exact / len(pairs), len(bits)),
        "near": share(close / len(pairs), len(bits)),
        "correlation": round(float(np.corrcoef(asked, found)[0, 1]), 2) if varied else None,
        "bits a note": per_note(bits),
    }


def share(p: float, count: int) -> tuple[float, float, float]:
    """A share of so many in %, with its interval (Wilson 1927)."""
    z = 1.96
    middle, half = p + z * z / 2 / count, z * math.sqrt(p * (1 - p) / count + (z / count) ** 2 / 4)
    low, high = ((middle + sign * half) / (1 + z * z / count) for sign in (-1, 1))
    return tuple(round(100 * each, 1) for each in (p, low, high))  # type: ignore[return-value]


def per_note(bits: Sequence[Sequence[float] | None]) -> tuple[float, float, float] | None:
    """Σ bits / Σ notes and its interval, of the pieces that the judge could read."""
    read = np.array([each for each in bits if each is not None and each[1]], dtype=float).reshape(-1, 2)
    if not len(read):
        return None
    drawn = read[np.random.default_rng(0).integers(len(read), size=(1000, len(read)))].sum(1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    value = read[:, 0].sum() / read[:, 1].sum()
    return round(float(value), 2), round(float(low), 2), round(float(high), 2)


def table(rows: Sequence[Row]) -> Table:
    """As it is printed."""

    def text(value: Any) -> str:
        if value is None:
            return "-"
        return "{} ({} to {})".format(*value) if isinstance(value, tuple) else str(value)

    made = Table()
    for heading in rows[0]:
        made.add_column(heading, justify="right")
    for row in rows:
        made.add_row(*map(text, row.values()))
    return made


def targets_of(wants: Sequence[str], known: Mapping[str, KnownLabel]) -> list[tuple[str, str]]:
    """Labels and values, of those that the model has."""
    found = []
    for want in wants:
        name, _, values = want.partition("=")
        if name in known:
            found += [(name, value) for value in values.split(",") if value in known[name].seen]
    return found


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--want", action="append", metavar="NAME=VALUE,VALUE")
    parser.add_argument("--guidance", type=float, nargs="+", default=[0.0, 2.0])
    parser.add_argument("--best-of", type=int, default=2)
    parser.add_argument("--count", type=int, default=25)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args(arguments)
    if given.tiny:
        given.want, given.count, given.bars, given.steps = ["density=very low,very high"], 1, 1, 4
    torch.set_num_threads(1)
    bench, kept = Bench(given), Kept(given.out)
    measure(bench, targets_of(given.want or WANTED, bench.known), kept)
    rows = told(kept.rows, bench.known)
    Console(width=140).print(table(rows))
    return rows


if __name__ == "__main__":
    main()
