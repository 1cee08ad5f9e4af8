"""What may change on a run that was begun: only what leaves its past true.

Once its music is prepared, what prepared it stays; once training has begun, what trains it does. What may still change
(how far it goes, how it is watched and computed) is a segment in run.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffmidi_core.errors import UsageError
from diffmidi_core.layers import MANY, changes

PREPARED = ("data", "source", "tokenizer", "prepare")
"""What made the token dataset: names of the config, and the beginnings of dotted ones."""
FREE = (
    *("train.patience", "train.keep", "train.log_every", "train.evaluate_every", "train.save_every", "train.draw"),
    *("train.compile", "train.checkpointing", "train.deterministic", "precision", "prepare.workers"),
    # How a step is cut into passes; that it stays of as many windows, over all processes, training sees to.
    *("train.batch_size", "train.accumulate"),
    *("hooks", "hook", "metrics", "metric", "renderers", "renderer", "sampler", "sample", "evaluate"),
)
"""What may change at any time, in the same spelling: it leaves every step that was taken as it is."""


def check(run: Path, before: Mapping[str, Any], after: Mapping[str, Any], *, trained: bool) -> dict[str, Any]:
    """What differs between the run's config and what is asked now: dotted name to [old, new].

    A list of parts is told whole. Raises UsageError in one sentence where what prepared the run, or trained it, would
    be another.
    """
    differing = changes(before, after)
    for name, (old, new) in differing.items():
        if trained:
            _check_trained(run, name, old, new)
        elif _is_of(name, PREPARED) and name != "prepare.workers":
            raise UsageError(
                f"{run} was prepared with {name} {_told(old)}, and prepared music does not change (asked: "
                f"{_told(new)}): begin a new run, with another --out."
            )
    lists = {many for many, kind in MANY.items() if any(name == many or _is_of(name, (kind,)) for name in differing)}
    told = {name: list(pair) for name, pair in differing.items() if not _is_of(name, (*MANY, *MANY.values()))}
    return told | {many: [before[many], after[many]] for many in sorted(lists)}


def apply(config: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """A config's tree with the new values of a segment's changes."""
    tree = {name: dict(value) if isinstance(value, Mapping) else value for name, value in config.items()}
    for name, (_, new) in changed.items():
        section, dot, key = name.partition(".")
        if not dot:
            tree[section] = new
        elif isinstance(tree.get(section), dict) and "options" not in tree[section]:
            tree[section][key] = new
    return tree


def _check_trained(run: Path, name: str, old: Any, new: Any) -> None:
    if _is_of(name, FREE) or (name == "train.iterations" and new > old):
        return
    if name == "train.minutes" and new is None:
        return  # the iterations that they came to are known by now
    if name == "train.iterations":
        raise UsageError(f"{run} is to train for {old} iterations, and it can only be more (asked: {new}).")
    how = f"--data {new}" if name == "data" else f"-o {name}={_told(new)}" if "." in name else f"--{name} {_told(new)}"
    what = "prepared from" if name == "data" else f"trained with {name}"
    raise UsageError(
        f"{run} was {what} {_told(old)}, and what trained a run does not change (asked: {_told(new)}): begin a new run "
        f"from it with `diffmidi run --from {run} {how}`."
    )


def _is_of(name: str, beginnings: tuple[str, ...]) -> bool:
    return any(name == beginning or name.startswith(f"{beginning}.") for beginning in beginnings)


def _told(value: Any) -> str:
    return "none" if value is None else str(value)
