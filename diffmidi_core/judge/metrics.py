"""The chosen metrics at work: one that raises is named with its package and left out, and the others go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from diffmidi_core import __version__
from diffmidi_core.contracts.metric import Metric, Row, Sample, WindowBits, named
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.judge.by_model import ModelMetric
from diffmidi_core.registry import Offer, find
from diffmidi_core.sections import BUILTIN_PACKAGE, Part
from diffmidi_core.wording import short

Subject = Literal["likelihood", "samples"]
Figures = dict[str, dict[str, Any] | None]
"""By full name ("bits_by_type/pitch") the fields of a StoredFigure; None where there was nothing to measure."""


@dataclass(frozen=True)
class Measured:
    """What metrics measured of some items.

    Attributes:
        figures: as they are written.
        rows: by metric, the row of each item.
    """

    figures: Figures = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def by_item(self, names: Sequence[str]) -> dict[str, dict[str, Row]]:
        """The rows of each item by metric; `names` are those of the items, in their order."""
        return {item: {metric: rows[index] for metric, rows in self.rows.items()} for index, item in enumerate(names)}


class Metrics:
    """Chosen metrics, built. `warn` is told of each that cannot be built, or that fails later, and it is left out.

    Anything that a metric raises counts as failing, SystemExit too; only Ctrl-C is the user's own.
    """

    def __init__(self, parts: Sequence[Part], warn: Callable[[str], object]) -> None:
        self._warn = warn
        self._offers: dict[str, Offer] = {}
        self._metrics: dict[str, Metric] = {}
        for part in parts:
            with self._left_out_where_it_fails(part.label, "being built"):
                offer = self._offers[part.label] = find("metric", part.spec)
                metric: Metric = offer.build(part.options)
                if metric.subject not in ("likelihood", "samples"):
                    raise ValueError(f"its subject is {metric.subject!r}, not 'likelihood' or 'samples'")
                if isinstance(metric, ModelMetric):
                    _ = metric.model  # what is wrong with it is told before the work
                self._metrics[part.label] = metric

    def on(self, subject: Subject, *, tokens: bool = True) -> list[str]:
        """The names of those that judge `subject`; without `tokens`, of those that need none."""
        return [
            name
            for name, metric in self._metrics.items()
            if metric.subject == subject and (tokens or not metric.needs_tokens)
        ]

    def measure(
        self,
        names: Sequence[str],
        items: Sequence[WindowBits] | Sequence[Sample],
        reference: Sequence[Sample] = (),
        *,
        music: str = "",
    ) -> Measured:
        """Figures and rows of these metrics on the items, beside those of the reference.

        `music` is what windows and reference are of, in words. Figures carry it, and what people call them.
        """
        measured = Measured()
        for name in names:
            metric, declared = self._metrics[name], self._offers[name].metric()
            more = {"title": declared.title or name.replace("_", " "), "better": declared.better, "music": music}
            with self._left_out_where_it_fails(name, "measuring"):
                rows = [metric.measure(item) for item in items]
                beside = [metric.measure(item) for item in reference]
                summary = metric.summarise(rows, beside) if metric.subject == "samples" else metric.summarise(rows)
                figures = {
                    full_name: None if figure is None else asdict(figure) | more
                    for full_name, figure in named(name, summary).items()
                }
                plain = _plain({"figures": figures, "rows": [dict(row) for row in rows]})
                measured.figures.update(plain["figures"])
                measured.rows[name] = plain["rows"]
        return measured

    def versions(self) -> dict[str, str]:
        """Of the packages that the metrics are from, by name; diffmidi's own is always there."""
        others = {offer.package: offer.version for offer in self._offers.values()}
        return {BUILTIN_PACKAGE: __version__} | others

    @contextmanager
    def _left_out_where_it_fails(self, name: str, when: str) -> Iterator[None]:
        try:
            yield
        except (Exception, SystemExit) as error:
            self._metrics.pop(name, None)
            offer = self._offers.get(name)
            origin = f" of {offer.origin}" if offer else ""
            why = str(error) if isinstance(error, DiffmidiError) else short(error)
            self._warn(f"metric '{name}'{origin} failed while {when}, and is left out ({why.rstrip('. ')}).")


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values as they are read back from JSON. Raises TypeError for what it cannot hold: NaN, tensors."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TypeError(f"its figures and rows are not all plain finite numbers: {error}") from error
    return plain
