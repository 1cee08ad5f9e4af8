"""Runs side by side: what was asked of each that others were not, what training took, and what was measured.

Light: everything is read from the JSON that a run leaves behind, and nothing of the run has to be installed any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from diffmidi_core.config import SINGLE
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import read_json
from diffmidi_core.run.folder import RunFolder
from diffmidi_core.train.overfitting import HELDOUT, Best, curves_part

_LEFT_OUT = ("metrics", "renderers", "hooks")
"""Sections of a config that change nothing about the model or its music."""


@dataclass(frozen=True)
class Record:
    """What one run left behind.

    Attributes:
        name: the shortest end of its path that no other compared run has.
        settings: dotted name to value, as `-o` takes them; a part's own name is under its kind.
        training: what its training took, by the names that the table shows; None where it is not known.
        figures: name to a Figure's fields (contracts/metric.py); None where there was nothing to measure.
        music: what tells whether two runs heard, and are judged on, the same pieces.
        words: the same for their words.
    """

    name: str
    settings: Mapping[str, Any]
    training: Mapping[str, Any]
    figures: Mapping[str, Mapping[str, Any] | None]
    music: tuple[Any, ...]
    words: Any


def read_runs(paths: Sequence[Path]) -> list[Record]:
    """The record of each run. Raises DiffmidiError where a folder holds no run, or a damaged one."""
    return [_record(path, name) for path, name in zip(paths, _names(paths), strict=True)]


def differing(records: Sequence[Record]) -> list[str]:
    """Settings that not all runs have, or not all have alike."""
    names = dict.fromkeys(name for record in records for name in record.settings)
    missing = object()
    return [
        name for name in names if any(r.settings.get(name, missing) != records[0].settings.get(name) for r in records)
    ]


def caveats(records: Sequence[Record]) -> list[str]:
    """What must be known before figures of these runs are held against each other."""
    said = []
    if any(record.music != records[0].music for record in records):
        said.append(
            "These runs did not have the same music: figures on held-out music cannot be held against each other."
        )
    if any(record.words != records[0].words for record in records):
        said.append(
            "These runs have different words: bits per word cannot be held against each other, bits per note can."
        )
    return said


def _record(path: Path, name: str) -> Record:
    folder = RunFolder.open(path)
    config, facts, measured = (_mapping(file) for file in (folder.config_file, folder.facts_file, folder.figures_file))
    log = folder.read_log()
    data = facts.get("data") or {}
    figures = measured.get("figures") or {}
    if not isinstance(figures, dict) or not all(map(_is_figure, figures.values())):
        raise DiffmidiError(f"{folder.figures_file} holds no figures: run `diffmidi evaluate {path}` again.")
    settings = dict(_flat(config))
    return Record(
        name=name,
        settings=settings,
        training=_training(facts, config, log) | {"checkpoint measured": measured.get("checkpoint")},
        figures=figures,
        music=(settings.get("source"), config.get("data"), settings.get("prepare.heldout"), data.get("found")),
        words=data.get("tokenizer", config.get("tokenizer")),
    )


def _training(
    facts: Mapping[str, Any], config: Mapping[str, Any], log: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    speeds = [line["steps_per_second"] for line in log if "steps_per_second" in line]
    best = Best()
    for line in log:
        if HELDOUT in line:
            best.look(int(line["step"]), line[HELDOUT])
    return {
        "parameters": facts.get("parameters"),
        "steps/s (median)": median(speeds) if speeds else None,
        "peak memory, MiB": facts.get("peak_memory_mb"),
        "device": facts.get("device"),
        "processes": facts.get("processes"),
        "precision": facts.get("precision"),
        "iterations": facts.get("iterations", int(log[-1]["step"]) if log else None),
        "iterations asked": (config.get("train") or {}).get("iterations"),
        "lowest held-out bound": best.bound if best.step is not None else None,
        "at iteration": best.step,
        "overfits from iteration": curves_part(log),
    }


def _mapping(file: Path) -> dict[str, Any]:
    """What a JSON file of a run says; nothing where the run has not come to it yet."""
    if not file.exists():
        return {}
    value = read_json(file)
    if not isinstance(value, dict):
        raise DiffmidiError(f"{file} does not hold one JSON object: it was not written by diffmidi.")
    return value


def _is_figure(figure: Any) -> bool:
    return figure is None or (isinstance(figure, dict) and isinstance(figure.get("value"), int | float))


def _flat(config: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for section, value in config.items():
        if section in SINGLE and isinstance(value, dict):
            yield section, value.get("name")
            yield from ((f"{section}.{key}", each) for key, each in (value.get("options") or {}).items())
        elif isinstance(value, dict):
            yield from ((f"{section}.{key}", each) for key, each in value.items())
        elif section not in _LEFT_OUT:
            yield section, value


def _names(paths: Sequence[Path]) -> list[str]:
    ends = [path.resolve().name for path in paths]
    return ends if len(set(ends)) == len(ends) else [str(path) for path in paths]
