"""Which process this is of how many, known without importing torch; and work that one process does for all."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from diffmidi_core.errors import DiffmidiError

T = TypeVar("T")


def world_size() -> int:
    """How many processes `accelerate launch` or torchrun started together; 1 where neither did."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this is the process that writes and speaks."""
    return rank() == 0


def on_cpu() -> bool:
    """Whether to tell accelerate that this is a CPU run. Left alone it would not join torchrun's processes on one."""
    import torch
    from accelerate.utils import parse_flag_from_env

    found = torch.accelerator.current_accelerator(check_available=True)
    return parse_flag_from_env("ACCELERATE_USE_CPU") or found is None


def done_by_main(work: Callable[[], T]) -> T:
    """What `work` returns on the main process, on every process; the others wait for it.

    Where it raises DiffmidiError the main process raises it, and the others leave with the same exit code in silence.
    """
    if world_size() == 1:
        return work()
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState(cpu=on_cpu())
    outcome: list[Any] = [None, None]
    failure: DiffmidiError | None = None
    if is_main():
        try:
            outcome[0] = work()
        except DiffmidiError as error:
            failure, outcome[1] = error, error.exit_code
    broadcast_object_list(outcome)
    if failure is not None:
        raise failure
    if outcome[1] is not None:
        raise SystemExit(outcome[1])
    result: T = outcome[0]
    return result


def said_once(error: DiffmidiError) -> DiffmidiError | SystemExit:
    """What to raise for an error that all processes have alike: only the main one says it."""
    return error if is_main() else SystemExit(error.exit_code)


def gathered(mine: list[tuple[int, list[T]]]) -> list[T]:
    """The rows of all processes in the order of their batches: `mine` pairs the batches of this one with their rows."""
    if world_size() > 1:
        from accelerate.utils import gather_object

        mine = gather_object(mine)
    return [row for _, rows in sorted(mine, key=lambda pair: pair[0]) for row in rows]
