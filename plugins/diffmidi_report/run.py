"""What a run folder holds, as far as it holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from diffmidi.api import DiffmidiError
from diffmidi.api.hook import (
    DrawFolder,
    Judged,
    PieceRecord,
    StoredRequest,
    counted,
    log_line,
    overfits_from,
    read_facts,
)
from diffmidi.api.source import printable as printed
from diffmidi_report.story import segments_of
from diffmidi_report.words import length, placeless

HELDOUT, TRAIN = "heldout/bound_bpw", "train/bound_bpw"
FEWEST_PASSES = 5
"""Validation passes under which nothing is said about overfitting."""
Points = tuple[list[float], list[float]]
"""Iterations, and a value at each."""


@dataclass(frozen=True)
class Draw:
    """One draw: what was asked, what came, and what it is worth.

    Attributes:
        pieces: those that came so far; none where it was stopped before the first.
        judged: None where it was not.
        problems: sentences about what of it cannot be read.
    """

    folder: DrawFolder
    stored: StoredRequest
    pieces: Sequence[PieceRecord]
    judged: Judged | None
    problems: Sequence[str]

    @property
    def name(self) -> str:
        """As its folder is called."""
        return printed(self.folder.path.name)

    @property
    def checkpoint(self) -> int:
        """The iteration of the weights that drew it."""
        return self.stored.model.step

    @property
    def title(self) -> str:
        """What the page calls it."""
        return f"Draw {self.label}"

    @property
    def label(self) -> str:
        """What it is called in a list of draws."""
        return f"{self.name}, made while training" if self.folder.while_training else self.name

    @property
    def size(self) -> str:
        """How many pieces there are, of which length."""
        asked, came = self.stored.request.count, len(self.pieces)
        count = counted(asked, "piece") if came == asked else f"{came} of {counted(asked, 'piece')}"
        return f"{count}{length(self.stored.request.length)}"

    @property
    def about(self) -> str:
        """All that was asked, on one line."""
        asked = self.stored.request
        return (
            f"{self.size}, by {asked.sampler.label} in {counted(asked.steps, 'step')}, seed {asked.seed}, "
            f"iteration {self.checkpoint:,}"
        )


@dataclass(frozen=True)
class Run:
    """A run's files, read; what is missing is empty, what is damaged is named in `damaged`.

    Attributes:
        checkpoints: figures of each checkpoint that was judged, the newest first.
        draws: the newest first.
        beside: pieces of installed models, which are not the run's.
    """

    folder: Path
    config: Mapping[str, Any]
    facts: Mapping[str, Any]
    log: list[dict[str, float]]
    checkpoints: list[Judged]
    draws: list[Draw]
    damaged: list[str]
    beside: list[Draw]

    @classmethod
    def read(cls, folder: Path, config: Mapping[str, Any]) -> Run:
        """Everything but the music."""
        damaged: list[str] = []

        def named(error: DiffmidiError) -> str:
            text = str(error).replace(f"{folder}/", "").replace(str(folder), folder.resolve().name)
            return printed(placeless(text))

        facts: dict[str, Any] = {}
        try:
            facts = read_facts(folder / "run.json")
        except DiffmidiError as error:
            damaged.append(named(error))
        checkpoints = []
        for file in Judged.files(folder):
            try:
                checkpoints.append(Judged.of_checkpoint(file))
            except DiffmidiError as error:
                damaged.append(named(error))
        draws: list[Draw] = []
        beside: list[Draw] = []
        for name, found in (("draws", draws), ("beside", beside)):
            for drawn in _all_draws(folder / name):
                try:
                    found.append(_draw(drawn, named))
                except DiffmidiError as error:
                    damaged.append(named(error))
        return cls(folder, config, facts, _log(folder / "metrics.jsonl"), checkpoints, draws, damaged, beside)

    @cached_property
    def newest(self) -> Draw | None:
        """The newest draw that somebody asked for and that has music."""
        asked = (each for each in self.draws if each.pieces and not each.folder.while_training)
        return next(asked, None)

    @property
    def others(self) -> list[Draw]:
        """The other draws: those that were asked for, then those made while training."""
        rest = [each for each in self.draws if each is not self.newest]
        return sorted(rest, key=lambda each: each.folder.while_training)

    @property
    def judged(self) -> Judged | None:
        """The newest checkpoint that was judged, on the run's own music."""
        return next((each for each in self.checkpoints if not each.other), None)

    @property
    def machine(self) -> Mapping[str, Any]:
        """Where it was trained last: versions, device, precision and what else the last segment says."""
        segments = segments_of(self.facts)
        return {**self.facts, **(segments[-1] if segments else {})}

    def curve(self, name: str) -> Points:
        """What was logged under that name, where it is a finite number."""
        points = [(line["step"], line[name]) for line in self.log if math.isfinite(line.get(name, math.nan))]
        return [step for step, _ in points], [value for _, value in points]

    def parted(self) -> int | None:
        """The iteration from which on the model overfits, if it does."""
        return overfits_from(self.log)


def _all_draws(draws: Path) -> list[DrawFolder]:
    """The newest first; those whose request cannot be read come last, to be named."""
    known = DrawFolder.all(draws)
    paths = {each.path for each in known}
    unread = [DrawFolder(file.parent) for file in sorted(draws.glob("*/request.json")) if file.parent not in paths]
    return [*known, *unread]


def _draw(folder: DrawFolder, named: Any) -> Draw:
    problems: list[str] = []
    stored = folder.request()
    pieces: list[PieceRecord] = []
    judged = None
    try:
        pieces = folder.pieces()
    except DiffmidiError as error:
        problems.append(named(error))
    try:
        judged = Judged.of_draw(folder)
    except DiffmidiError as error:
        problems.append(named(error))
    return Draw(folder, stored, pieces, judged, [f"{each[0].upper()}{each[1:]}" for each in problems])


def _log(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    return [line for each in text.splitlines() if (line := log_line(each)) is not None]
