"""Runs side by side: what was asked of each that others were not, what training took, and what was measured.

Light: everything is read from the JSON that a run leaves behind, and nothing of the run has to be installed any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from statistics import median
from typing import Any

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import read_json
from diffmidi_core.judge.judged import Judged, StoredFigure
from diffmidi_core.layers import MANY, flat
from diffmidi_core.saved import changes
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.train.overfitting import ERROR, HELDOUT, Best, overfits_from
from diffmidi_core.wording import printable

_LEFT_OUT = ("sampler", "sample", "evaluate", *MANY, *MANY.values())
"""What changes nothing about a trained model; of a draw its own request is shown."""
_PLACES = ("data", "prepare.labels")
"""Settings that name files: only as much of a path is shown as tells it from the others."""


@dataclass(frozen=True)
class Record:
    """What one run left behind.

    Attributes:
        path: its folder.
        name: the shortest end of its path that no other compared run has.
        settings: dotted name to value, as `-o` takes them; a part's own name is under its kind.
        training: what its training took, by the names that the table shows; None where it is not known.
        judged: which checkpoint its figures of likelihood are of, and which draw its figures of music.
        figures: of the newest checkpoint and of the newest draw that were judged; None where there was nothing to
            measure.
        music: what tells whether two runs heard, and are judged on, the same pieces.
        tokens: the same for their tokens.
    """

    path: Path
    name: str
    settings: Mapping[str, Any]
    training: Mapping[str, Any]
    judged: Mapping[str, Any]
    figures: Mapping[str, StoredFigure | None]
    music: tuple[Any, ...]
    tokens: Any


def read_runs(paths: Sequence[Path]) -> list[Record]:
    """The record of each run. Raises DiffmidiError where a folder holds no run, or a damaged one."""
    configs = [_config(RunFolder.open(path)) for path in paths]
    settings = [_settings(config) for config in configs]
    for name in _PLACES:
        shown = ends([own.get(name) for own in settings])
        for own, value in zip(settings, shown, strict=True):
            if name in own:
                own[name] = value
    names = ends([str(path.resolve()) for path in paths])
    each_run = zip(paths, names, configs, settings, strict=True)
    return [_record(RunFolder(path), printable(name), config, its) for path, name, config, its in each_run]


def differing(records: Sequence[Record]) -> list[str]:
    """Settings that not all runs have, or not all have alike."""
    names = dict.fromkeys(name for record in records for name in record.settings)
    missing = object()
    return [
        name for name in names if any(r.settings.get(name, missing) != records[0].settings.get(name) for r in records)
    ]


def judged_by(records: Sequence[Record]) -> list[str]:
    """What to show of the checkpoints and draws that were judged; options of a sampler only where they differ."""
    names = dict.fromkeys(name for record in records for name in record.judged)
    return [
        name
        for name in names
        if not name.startswith("sampler.") or any(r.judged.get(name) != records[0].judged.get(name) for r in records)
    ]


def caveats(records: Sequence[Record]) -> list[str]:
    """What must be known before figures of these runs are compared."""
    notes = []
    if not same_music(records):
        notes.append("These runs did not have the same music: figures on them do not compare.")
    if not same_tokens(records):
        notes.append("These runs have different tokens: bits per token do not compare, bits per note do.")
    if len(splits := _splits(records)) > 1:
        notes.append(
            f"These runs were not all judged on the same share of their music: {' and '.join(map(printable, splits))}."
        )
    return notes


def same_music(records: Sequence[Record]) -> bool:
    """Whether they heard, and are judged on, the same pieces."""
    return all(record.music == records[0].music for record in records)


def same_tokens(records: Sequence[Record]) -> bool:
    """Whether their tokens are the same, so that bits per token compare."""
    return all(record.tokens == records[0].tokens for record in records)


def same_share(records: Sequence[Record]) -> bool:
    """Whether all that were judged were judged on the same share of their music."""
    return len(_splits(records)) <= 1


def _splits(records: Sequence[Record]) -> list[str]:
    return sorted({record.judged["judged on"] for record in records} - {None})


def ends(values: Sequence[str | None]) -> list[str | None]:
    """Paths by their shortest ends that tell the different ones apart; what is no path stays as it is."""
    paths = {value: PurePath(value).parts for value in values if value is not None}
    for depth in range(1, max(map(len, paths.values()), default=1) + 1):
        shown = {value: _end(parts, depth) for value, parts in paths.items()}
        if len(set(shown.values())) == len(shown):
            break
    return [None if value is None else shown[value] for value in values]


def _end(parts: tuple[str, ...], depth: int) -> str:
    """The last parts of a path, without what makes it absolute."""
    anchor = PurePath(*parts).anchor if parts else ""
    return "/".join(part for part in parts[-depth:] if part != anchor)


def _config(folder: RunFolder) -> dict[str, Any]:
    """The run's config, with what its segments changed."""
    config = _mapping(folder.config_file)
    for segment in folder.segments():
        changed = segment.get("changed")
        config = changes.apply(config, changed if isinstance(changed, Mapping) else {})
    return config


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flat(config).items() if name.partition(".")[0] not in _LEFT_OUT}


def _record(folder: RunFolder, name: str, config: Mapping[str, Any], settings: Mapping[str, Any]) -> Record:
    facts, log = folder.facts(), folder.read_log()
    data = facts.get("data")
    data = data if isinstance(data, Mapping) else {}
    measured = map(Judged.of_checkpoint, Judged.files(folder.path))
    checkpoint = next((judged for judged in measured if not judged.other), None)
    draw, music = _judged_draw(folder)
    figures = {**(checkpoint.figures if checkpoint else {}), **(music.figures if music else {})}
    return Record(
        path=folder.path,
        name=name,
        settings=settings,
        training=_training(facts, config, log, folder.segments()),
        judged={
            "checkpoint": checkpoint.checkpoint if checkpoint else None,
            "judged on": next((judged.split for judged in (checkpoint, music) if judged), None),
            "draw": draw.path.name if draw else None,
            **_asked(draw),
        },
        figures=figures,
        music=(settings.get("source"), config.get("data"), settings.get("prepare.heldout"), data.get("found")),
        tokens=data.get("tokenizer", settings.get("tokenizer")),
    )


def _judged_draw(folder: RunFolder) -> tuple[DrawFolder | None, Judged | None]:
    """The newest draw that was asked for and judged, and what it is worth."""
    for draw in DrawFolder.all(folder.draws):
        if not draw.while_training and (judged := Judged.of_draw(draw)) is not None:
            return draw, judged
    return None, None


def _asked(draw: DrawFolder | None) -> dict[str, Any]:
    """What was asked of the draw that is compared."""
    stored = draw.request() if draw else None
    asked = stored.request if stored else None
    return {
        "draw is of checkpoint": stored.model.step if stored else None,
        "sampler": asked.sampler.label if asked else None,
        "steps": asked.steps if asked else None,
        "length": asked.length if asked else None,
        "draw's seed": asked.seed if asked else None,
        **({f"sampler.{name}": value for name, value in asked.sampler.options.items()} if asked else {}),
    }


def _training(
    facts: Mapping[str, Any],
    config: Mapping[str, Any],
    log: Sequence[Mapping[str, float]],
    segments: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    speeds = [line["steps_per_second"] for line in log if "steps_per_second" in line]
    best = Best()
    for line in log:
        if HELDOUT in line:
            best.update(int(line["step"]), line[HELDOUT], line.get(ERROR))
    train, began = config.get("train"), facts.get("began")
    return {
        "parameters": facts.get("parameters"),
        "began from": _began(began) if isinstance(began, Mapping) else None,
        "segments": _stretches(segments),
        "steps/s (median)": median(speeds) if speeds else None,
        "peak memory, MiB": facts.get("peak_memory_mb"),
        "device": facts.get("device"),
        "processes": facts.get("processes"),
        "precision": facts.get("precision"),
        "iterations": facts.get("iterations", int(log[-1]["step"]) if log else None),
        "iterations asked": train.get("iterations") if isinstance(train, Mapping) else None,
        "lowest held-out bound": best.bound if best.step is not None else None,
        "its standard error": best.error,
        "at iteration": best.step,
        "overfits from iteration": overfits_from(log),
    }


def _began(began: Mapping[str, Any]) -> str:
    return f"{PurePath(str(began.get('run'))).name} at {began.get('step')}"


def _stretches(segments: Sequence[Mapping[str, Any]]) -> str | None:
    """Where training was taken up with something changed: "to 400, to 800 with train.iterations"."""
    if not any(segment.get("changed") for segment in segments):
        return None
    told = []
    for segment in segments:
        changed = segment.get("changed")
        ways = f" with {', '.join(changed)}" if isinstance(changed, Mapping) and changed else ""
        told.append(f"to {segment.get('to')}{ways}")
    return ", ".join(told)


def _mapping(file: Path) -> dict[str, Any]:
    """The JSON object that a file of a run holds."""
    value = read_json(file)
    if not isinstance(value, dict):
        raise DiffmidiError(f"{file} does not hold one JSON object: it was not written by diffmidi.")
    return value
