"""Segments: the stretches that a run was trained in, in run.json. A resume that goes further is one.

Each says from which iteration to which it went, what was changed of the run's config for it, and what computed it; the
first one of a run that was given minutes, how many iterations were planned for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from diffmidi_core.errors import UsageError
from diffmidi_core.machine.ranks import main_only, world_size
from diffmidi_core.machine.session import Session
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.sections import TrainConfig
from diffmidi_core.train.optimiser import falls_from


def begin(session: Session, step: int) -> None:
    """Note that training goes on from a step, with what this command has changed."""
    folder, before = session.folder, session.folder.segments()
    changed, plan = dict(session.changed), session.plan
    if before and before[-1].get("from") == before[-1].get("to"):
        # Nothing came of it: its changes are this one's too, and what they changed from is what they say.
        empty = before.pop()
        plan = plan or empty.get("plan")
        for name, (old, new) in dict(empty.get("changed") or {}).items():
            changed[name] = [old, changed[name][1] if name in changed else new]
    machine = session.machine()
    segment = {
        "from": step,
        "to": step,
        "changed": {name: pair for name, pair in changed.items() if pair[0] != pair[1]},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "windows": windows_a_step(session.config.train),
        **({} if plan is None else {"plan": dict(plan)}),
        **machine,
    }
    folder.note(segments=[*before, segment], **machine)


def reached(folder: RunFolder, step: int) -> dict[str, Any]:
    """What run.json is to say of a checkpoint that was written: how far the last segment went."""
    segments = folder.segments()
    return {"segments": [*segments[:-1], {**segments[-1], "to": step}]} if segments else {}


def windows_a_step(config: TrainConfig) -> int:
    """How many windows all processes together take for an optimiser step."""
    return config.batch_size * config.accumulate * world_size()


def check_windows(session: Session) -> None:
    """Raises UsageError where a step would not be of as many windows as those that were taken."""
    before = next(
        (segment["windows"] for segment in session.folder.segments() if isinstance(segment.get("windows"), int)), None
    )
    now = windows_a_step(session.config.train)
    if before not in (None, now):
        config, processes = session.config.train, world_size()
        many = f"{processes} process{'es' * (processes > 1)}"
        raise main_only(
            UsageError(
                f"{session.folder.path} trains on {before} windows a step, and that does not change: {many} with "
                f"--batch-size {config.batch_size} and --accumulate {config.accumulate} would take {now}. Choose a "
                f"--batch-size and an --accumulate that make {before} with them."
            )
        )


def remark(changed: Mapping[str, Any], config: TrainConfig, step: int) -> str | None:
    """What the user should know of going on longer than was asked at first; None where it is one long run."""
    if "train.iterations" not in changed:
        return None
    before = int(changed["train.iterations"][0])
    if step <= falls_from(config.model_copy(update={"iterations": before})):
        return None
    return (
        f"training goes on to iteration {config.iterations}, and its learning rate had begun to fall to 0 at "
        f"{before}: this is not the same as one run of {config.iterations} iterations. (train.anneal=false, or "
        "train.decay, keeps the rate up for runs that are to be extended.)"
    )
