"""The exact likelihood of a masked model beside its bound, and beside exact models, on the same windows.

    python benchmarks/exact.py RUN [--beside RUN] [--windows 32] [--out exact.json]

RUN is a trained run of process `masked`. Its tokens are revealed one an evaluation: as they stand, and in an order of
their types that is chosen on training music (`diffmidi evaluate --exact -o evaluate.order=types`). `--beside` is a run
of process `autoregressive` that was prepared with the same tokens. The 5-gram is that of metric `baselines`. Every
model has the same windows of test music, so that differences are surer than the figures; intervals are of 95 %,
bootstrapped over windows. `exact.json` has the bits of each window.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffmidi.api.metric import ABOVE, BELOW, Figure, ratio_figure
from diffmidi_core.draw.model import Model, open_model
from diffmidi_core.judge.exact import exact_bits
from diffmidi_core.judge.likelihood import levels_for, window_bits
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.registry import find
from diffmidi_core.sections import EvaluateConfig

BOUND, BESIDE, COUNTED = "bound", "left to right", "5-gram"


@dataclass(frozen=True)
class Measured:
    """Bits of each window by model; notes and tokens of each."""

    bits: dict[str, list[float]]
    notes: list[int]
    tokens: list[int]

    def per_note(self, name: str) -> Figure:
        """Σ bits / Σ notes."""
        return self._ratio(np.array(self.bits[name]), self.notes)

    def per_token(self, name: str) -> Figure:
        """Σ bits / Σ tokens."""
        return self._ratio(np.array(self.bits[name]), self.tokens)

    def more(self, name: str, than: str) -> Figure:
        """How many more bits a note it costs than another, on the same windows."""
        return self._ratio(np.array(self.bits[name]) - np.array(self.bits[than]), self.notes)

    def _ratio(self, bits: Any, of: list[int]) -> Figure:
        rows = [{ABOVE: float(each), BELOW: float(count)} for each, count in zip(bits, of, strict=True)]
        figure = ratio_figure(rows, "bits", "windows")
        assert figure is not None
        return figure


def measured(run: Path, beside: Path | None, count: int) -> Measured:
    """All models on the first `count` windows of the run's test music."""
    work, model = Surroundings(precision="fp32"), open_model(run)
    other = None if beside is None else _opened(beside, model)
    music = ReferenceMusic(run / "data", model.tokenizer, length=model.length, bars=model.bars)
    windows = music.windows(count)
    options = EvaluateConfig(order="types")
    rows = window_bits(
        *(work, model.process, music.dataset, windows),
        levels=levels_for(options.levels, len(windows)),
        training=music.training,
    )
    bits = {BOUND: [row.bits for row in rows]}
    exact = exact_bits(work, model, music, windows, options)
    bits |= {f"exact, {order}": [float(each[order].sum()) for each in exact] for order in exact[0]}
    if other is not None:
        bits[BESIDE] = [row.bits for row in window_bits(work, other.process, music.dataset, windows, levels=None)]
    counted = find("metric", "baselines").build({})
    bits[COUNTED] = [counted.measure(row)[COUNTED] for row in rows]
    return Measured(bits, [row.notes for row in rows], [row.tokens for row in rows])


def _opened(run: Path, model: Model) -> Model:
    """A model to be beside another. Raises SystemExit where it has other tokens, or no likelihood."""
    other = open_model(run)
    if other.tokenizer.fingerprint != model.tokenizer.fingerprint:
        raise SystemExit(f"{run} has other tokens than {model.path}, so their windows are not the same")
    if not other.process.exact:
        raise SystemExit(f"{run} has a bound only: name a run of process autoregressive")
    return other


def table(found: Measured) -> str:
    """In Markdown, a row for each model; the difference is from the first exact one."""
    first = next(name for name in found.bits if name != BOUND)
    lines = ["| | bits a note | bits a token | more than as they stand, bits a note |", "| --- | ---: | ---: | ---: |"]
    for name in found.bits:
        more = "" if name == first else _text(found.more(name, first), signed=True)
        lines.append(f"| {name} | {_text(found.per_note(name))} | {found.per_token(name).value:.3f} | {more} |")
    return "\n".join(lines)


def _text(figure: Figure, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    value = f"{figure.value:{sign}.2f}"
    return value if figure.interval is None else f"{value} ({figure.interval[0]:.2f} to {figure.interval[1]:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a trained run of process masked")
    parser.add_argument("--beside", type=Path, metavar="RUN", help="a run of process autoregressive")
    parser.add_argument("--windows", type=int, default=32)
    parser.add_argument("--out", type=Path, default=Path("exact.json"))
    given = parser.parse_args()
    found = measured(given.run, given.beside, given.windows)
    given.out.write_text(json.dumps(vars(found), indent=1) + "\n", encoding="utf-8")
    print(f"{len(found.notes)} windows of test music, {sum(found.notes):,} notes\n\n{table(found)}")


if __name__ == "__main__":
    main()
