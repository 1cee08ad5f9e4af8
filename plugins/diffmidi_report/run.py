"""What a run folder holds, as far as it holds it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffmidi_core.api import DiffmidiError, curves_part, read_json

HELDOUT, TRAIN = "heldout/bound_bpw", "train/bound_bpw"
FEWEST_LOOKS = 5
"""Under which nothing is said about where the curves part."""
Points = tuple[list[float], list[float]]
"""Iterations, and a value at each."""


@dataclass(frozen=True)
class Run:
    """A run's files, read; what is missing is empty, what is damaged is named in `damaged`."""

    folder: Path
    config: Mapping[str, Any]
    facts: Mapping[str, Any]
    figures: Mapping[str, Mapping[str, Any] | None]
    checkpoint: int | None
    rows: Mapping[str, Mapping[str, Mapping[str, float]]]
    """Sample to metric to that sample's own row."""
    log: list[dict[str, float]]
    damaged: list[str]

    @classmethod
    def read(cls, folder: Path, config: Mapping[str, Any], figures: Mapping[str, Any]) -> Run:
        """Everything but the samples."""
        damaged: list[str] = []

        def found(name: str) -> Mapping[str, Any]:
            try:
                content = read_json(folder / name) if (folder / name).exists() else {}
            except DiffmidiError as error:
                damaged.append(str(error))
                return {}
            return content if isinstance(content, Mapping) else {}

        measured = found("figures.json")
        rows = measured.get("samples") or {}
        log = _log(folder / "metrics.jsonl")
        return cls(folder, config, found("run.json"), figures, measured.get("checkpoint"), rows, log, damaged)

    def curve(self, name: str) -> Points:
        """What was logged under that name, where it is a finite number."""
        points = [(line["step"], line[name]) for line in self.log if math.isfinite(line.get(name, math.nan))]
        return [step for step, _ in points], [value for _, value in points]

    def parted(self) -> int | None:
        """The iteration where the training and the held-out curve part, if they do."""
        return curves_part(self.log)

    def samples(self) -> list[Path]:
        """Each sample's path without a suffix, by name."""
        folder = self.folder / "samples"
        return sorted({path.with_suffix("") for suffix in (".txt", ".mid") for path in folder.glob(f"*{suffix}")})


def _log(path: Path) -> list[dict[str, float]]:
    lines: list[dict[str, float]] = []
    if not path.is_file():
        return lines
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # the half-written last line of a run that was killed
            continue
        if isinstance(line, dict) and "step" in line:
            lines.append({name: float(value) for name, value in line.items() if isinstance(value, int | float)})
    return lines
