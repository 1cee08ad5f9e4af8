"""One sentence: is the model better than counting, and than one that writes from left to right, where that is known?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from diffmidi.api import DiffmidiError
from diffmidi.api.hook import Judged, StoredFigure, read_facts, read_json
from diffmidi.api.source import printable
from diffmidi_report.run import Run
from diffmidi_report.words import number

_BITS, _BASELINES = "bound_bpw", "baselines/"
_GRAM = re.compile(r"(\d+)-gram")
_AUTOREGRESSIVE = "autoregressive"
_MOST_RUNS = 200
"""Neighbours that are looked at."""


def verdict(run: Run) -> str:
    """The sentence; "" where there is nothing to compare with."""
    mine = run.judged.known.get(_BITS) if run.judged else None
    if run.judged is None or mine is None:
        return ""
    parts = []
    if counted := _counting(run.judged):
        name, theirs = counted
        parts.append(f"{_than(mine, theirs)} counting ({name}: {number(theirs.value)})")
    if _process(run.config) != _AUTOREGRESSIVE and (other := _left_to_right(run)):
        where, theirs = other
        parts.append(f"{_than(mine, theirs)} the autoregressive model of {where} ({number(theirs.value)})")
    if not parts:
        return ""
    said = " and ".join(parts)
    return (
        f"{said[:1].upper()}{said[1:]}: the model needs {number(mine.value)} bits per token, at most, for "
        f"{run.judged.music} (lower is better)."
    )


def _than(mine: StoredFigure, theirs: StoredFigure) -> str:
    """Which of two figures is the better one, where their intervals are apart."""
    (low, high), (lowest, highest) = (each.interval or (each.value, each.value) for each in (mine, theirs))
    if high < lowest:
        return "better than"
    return "worse than" if low > highest else "about as good as"


def _counting(judged: Judged) -> tuple[str, StoredFigure] | None:
    """The longest n-gram that was measured on the same windows."""
    names = {name: each for name, each in judged.known.items() if name.startswith(_BASELINES)}
    grams = [(int(found[1]), name) for name in names if (found := _GRAM.fullmatch(name.removeprefix(_BASELINES)))]
    if not grams:
        return None
    count, name = max(grams)
    return f"{count}-gram", names[name]


def _left_to_right(run: Run) -> tuple[str, StoredFigure] | None:
    """The best autoregressive run beside this one that was judged on the same windows of the same tokens."""
    found = sorted(_neighbours(run), key=lambda other: (other[1].value, other[0]))
    return found[0] if found else None


def _neighbours(run: Run) -> Iterator[tuple[str, StoredFigure]]:
    here, judged = run.folder.resolve(), run.judged
    if judged is None or _music(run.facts) is None:
        return
    for file in sorted(here.parent.glob("*/config.json"))[:_MOST_RUNS]:
        if file.parent == here:
            continue
        with suppress(DiffmidiError):  # what cannot be read is no run to compare with
            config = read_json(file)
            if not isinstance(config, Mapping) or _process(config) != _AUTOREGRESSIVE:
                continue
            if _music(read_facts(file.parent / "run.json")) != _music(run.facts):
                continue
            others = map(Judged.of_checkpoint, Judged.files(file.parent))
            theirs = next((each for each in others if not each.other), None)
            same = theirs is not None and (theirs.split, theirs.windows) == (judged.split, judged.windows)
            if theirs is not None and same and (bits := theirs.known.get(_BITS)):
                yield f"run {printable(file.parent.name)}", bits


def _process(config: Mapping[str, Any]) -> Any:
    process = config.get("process")
    return process.get("name") if isinstance(process, Mapping) else None


def _music(facts: Mapping[str, Any]) -> Any:
    """What names the data with their tokens."""
    found = facts.get("data_fingerprint")
    return found if isinstance(found, str) else None
