"""How a run was trained, in words: from what, in which segments, and what each changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diffmidi.api.hook import counted
from diffmidi_report.words import placeless, told

Segment = Mapping[str, Any]


def story(facts: Mapping[str, Any]) -> list[str]:
    """Sentences; none for a run that was trained in one go and began from nothing."""
    found = []
    began = facts.get("began")
    if isinstance(began, Mapping):
        found.append(_began(began))
    segments = _joined(segments_of(facts))
    if len(segments) > 1 or any(each["resumed"] for each in segments):
        first, *later = segments
        stretches = [f"Trained to {_to(first)}{_resumed(first)}"]
        before = first
        for segment in later:
            stretches.append(_next(before, segment))
            before = segment
        found.append(", ".join(stretches) + ".")
    return found


def segments_of(facts: Mapping[str, Any]) -> list[Segment]:
    """The stretches that training was done in, as run.json has them."""
    found = facts.get("segments")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _began(began: Mapping[str, Any]) -> str:
    run = str(placeless(str(began.get("run", "another run"))))
    behind = began.get("iterations")
    trained = f", when they had been trained for {counted(behind, 'iteration')}" if isinstance(behind, int) else ""
    return f"Began from the weights of {run} at iteration {_number(began.get('step'))}{trained}."


def _joined(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """Segments that changed nothing belong to the one before: training was stopped and resumed."""
    found: list[dict[str, Any]] = []
    for segment in segments:
        if found and not segment.get("changed") and not _elsewhere(found[-1], segment):
            found[-1] |= {"to": segment.get("to"), "resumed": found[-1]["resumed"] + 1}
        else:
            found.append({**segment, "resumed": 0})
    return found


def _next(before: Segment, segment: Segment) -> str:
    changed = segment.get("changed") or {}
    pairs = [
        f"{name} {told(pair[1])} instead of {told(pair[0])}"
        for name, pair in changed.items()
        if isinstance(pair, list | tuple) and len(pair) == 2
    ]
    ways = [*([f"with {_listed(pairs)}"] if pairs else []), *_elsewhere(before, segment)]
    return " ".join([f"then on to {_to(segment)}", *ways]) + _resumed(segment)


def _elsewhere(before: Segment, segment: Segment) -> list[str]:
    """Where it computed and how, if not as before."""
    return [
        f"{word} {segment[name]}"
        for name, word in (("device", "on"), ("precision", "in"))
        if segment.get(name) not in (None, before.get(name))
    ]


def _resumed(segment: Segment) -> str:
    times = segment["resumed"]
    return f" (stopped and resumed {'once' if times == 1 else f'{times} times'})" if times else ""


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _to(segment: Segment) -> str:
    return _number(segment.get("to"))


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "an iteration that is not known"
