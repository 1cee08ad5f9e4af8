"""What a second process brings, and what a larger batch costs in memory.

    python benchmarks/scaling.py [--processes 2] [--batch 16] [--length 128]
    python benchmarks/scaling.py --memory [--batch 4 8 16 32 64]

The first takes whole training steps (`bert` small, as benchmarks/training.py does) in processes of one thread, or one
GPU, each, in turn: one process alone; all at once, each for itself; all together (DDP). Every process always has the
same number of rows. The second against the first is what the machine loses where all its cores are at work (memory,
clock, other programs); the third against the second is what talking costs. Efficiency is the first over the third. The
best of several rounds is taken.

The second measures the peak of a process's memory while it takes two steps, each batch in a process of its own, above
what it held before them; with and without recomputing activations (`-o train.checkpointing=true`).
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `diffmidi` has it

import torch
from rich.console import Console
from rich.table import Table
from torch import distributed, nn
from training import DTYPES, build_process, made_up, our_step, parameters, seconds

from diffmidi_core.machine.memory import peak_memory_mb

RANK = "DIFFMIDI_SCALING_RANK"


def take_turns(given: argparse.Namespace, rank: int) -> None:
    """One of the processes; the first prints what it measured."""
    device = given.device if given.device == "cpu" else f"cuda:{rank}"
    if device == "cpu":
        torch.set_num_threads(1)
    else:
        torch.cuda.set_device(rank)
    backend = "gloo" if device == "cpu" else "nccl"
    distributed.init_process_group(
        backend, f"tcp://127.0.0.1:{given.port}", timeout=timedelta(hours=1), rank=rank, world_size=given.processes
    )
    batch = made_up(given.batch[0], given.length, device)
    dtype = DTYPES[given.precision]
    wrapped = {"alone": lambda process: process, "together": nn.parallel.DistributedDataParallel}
    alone, together = (
        partial(our_step(build_process("bert", given.size, given.length, device, "gaussian"), dtype, wrap), batch)
        for wrap in wrapped.values()
    )
    names = ("alone", "at once", "together")
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(given.rounds + 1):
        for name in names:
            distributed.barrier()
            if name != "alone" or rank == 0:
                took = seconds(together if name == "together" else alone)
                if number:
                    times[name].append(took)
    if rank == 0:
        print(*(1e3 * min(times[name]) for name in names))
    distributed.destroy_process_group()


def scaling(given: argparse.Namespace) -> Table:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [again("--port", str(port), rank=rank) for rank in range(given.processes)]
    said = [process.communicate()[0] for process in started]
    alone, at_once, together = map(float, said[0].split())
    what = f"{given.batch[0]} x {given.length + 2} each, {given.precision}, {given.device}"
    table = Table(title=f"{given.processes} processes, {what}")
    for heading in ("a step of", "ms", "ratio"):
        table.add_column(heading, justify="right")
    table.add_row("one process alone", f"{alone:.0f}", "")
    table.add_row(f"{given.processes} at once, each for itself", f"{at_once:.0f}", f"{alone / at_once:.2f} of alone")
    table.add_row(f"{given.processes} together (DDP)", f"{together:.0f}", f"{at_once / together:.2f} of at once")
    table.add_row("efficiency", "", f"{alone / together:.2f}")
    return table


def peak(given: argparse.Namespace) -> None:
    """Prints the peak of a process's memory in two steps, MiB above what it held before."""
    device = torch.device(given.device)
    process = build_process("bert", given.size, given.length, given.device, "gaussian")
    if given.recompute:
        process.backbone.checkpointing(True)
    # Weights, gradients, averages and the optimiser's state are there after a step of one row.
    our_step(process, DTYPES[given.precision])(made_up(1, given.length, given.device))
    before = peak_memory_mb(device) or 0.0
    step = partial(our_step(process, DTYPES[given.precision]), made_up(given.batch[0], given.length, given.device))
    step()
    step()
    print((peak_memory_mb(device) or 0.0) - before, before, parameters(process))


def memory(given: argparse.Namespace) -> Table:
    table = Table(title=f"MiB above the process's own, {given.length + 2} positions, {given.precision}, {given.device}")
    for heading in ("batch", "kept activations", "recomputed"):
        table.add_column(heading, justify="right")
    for batch in given.batch:
        found = []
        for recompute in ((), ("--recompute",)):
            asked = again("--batch", str(batch), *recompute, rank=0)
            found.append(float(asked.communicate()[0].split()[0]))
        table.add_row(f"{batch}", *(f"{each:.0f}" for each in found))
    return table


def again(*more: str, rank: int) -> subprocess.Popen[str]:
    """This script with the same arguments and `more`, as a process that measures."""
    command: Sequence[str] = [sys.executable, *sys.argv, *more]
    environment = {**os.environ, RANK: str(rank), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--size", default="small", choices=["tiny", "small", "base"])
    parser.add_argument("--batch", type=int, nargs="+")
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--precision", default="fp32", choices=list(DTYPES))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--recompute", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.batch = given.batch or ([4, 8, 16, 32, 64] if given.memory else [16])
    if (rank := os.environ.get(RANK)) is not None:
        peak(given) if given.memory else take_turns(given, int(rank))
        return
    Console(width=100).print(memory(given) if given.memory else scaling(given))


if __name__ == "__main__":
    main()
