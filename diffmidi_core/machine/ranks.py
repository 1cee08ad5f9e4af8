"""Which process this is of how many, known without importing torch; and work that one process does for all."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from diffmidi_core.errors import DiffmidiError

T = TypeVar("T")
_SIZES = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
"""What launchers tell each process of several, those of MPI among them."""


def world_size() -> int:
    """How many processes `accelerate launch` or torchrun started together; 1 where neither did."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is."""
    return int(os.environ.get("RANK", "0"))


def started_alone() -> str | None:
    """What to warn of where `accelerate launch` was asked for several processes and started this one only; else None.

    That is its way with `--num_processes` where it is told neither of several GPUs nor of FSDP or DeepSpeed: it names a
    meeting place for several, and gives no process a rank.
    """
    named = os.environ.keys() >= {"ACCELERATE_MIXED_PRECISION", "MASTER_ADDR", "MASTER_PORT"}
    if not named or any(name in os.environ for name in _SIZES):
        return None
    return (
        "`accelerate launch` was asked for several processes and started one, which works alone. Add --multi_gpu to "
        "its command, or use `torchrun --standalone --nproc-per-node N`, which also starts several without a GPU."
    )


def is_main() -> bool:
    """Whether this is the process that writes and speaks."""
    return rank() == 0


def on_cpu() -> bool:
    """Whether to tell accelerate that this is a CPU run. Left alone it would not join torchrun's processes on one."""
    import torch
    from accelerate.utils import parse_flag_from_env

    device = torch.accelerator.current_accelerator(check_available=True)
    return parse_flag_from_env("ACCELERATE_USE_CPU") or device is None


def done_by_main(work: Callable[[], T]) -> T:
    """What `work` returns on the main process, on every process; the others wait for it.

    Where it raises DiffmidiError the main process raises it, and the others leave with the same exit code in silence.
    """
    if world_size() == 1:
        return work()
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState(cpu=on_cpu())
    meet()
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


def meet() -> None:
    """Have all processes notice when one of them dies (peers.py). Accelerate's state has been made."""
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    from diffmidi_core.machine.peers import join

    state = PartialState()
    join(state.process_index, state.num_processes, broadcast_object_list)


def main_only(error: DiffmidiError) -> DiffmidiError | SystemExit:
    """What to raise for an error that all processes have alike: only the main process reports it."""
    return error if is_main() else SystemExit(error.exit_code)


def gathered(mine: list[tuple[int, list[T]]]) -> list[T]:
    """The rows of all processes in the order of their batches: `mine` pairs the batches of this one with their rows."""
    if world_size() > 1:
        from accelerate.utils import gather_object

        mine = gather_object(mine)
    return [row for _, rows in sorted(mine, key=lambda pair: pair[0]) for row in rows]
