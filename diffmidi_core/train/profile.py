"""--profile: where the time of a few training steps goes, as a trace and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.profiler import profile, schedule

from diffmidi_core.files import whole_file
from diffmidi_core.machine.session import Session

WAIT, WARMUP, ACTIVE = 2, 2, 4
"""Steps that are let pass (the first ones allocate, and compile), that the profiler warms up in, that it records."""
ROWS = 25
"""Operators in the table."""


@contextmanager
def profiled(session: Session) -> Iterator[Callable[[], None]]:
    """Gives what is to be called after each training step; where `session.profile` is not set, that does nothing.

    The main process leaves `profile/trace.json` in the run's folder, for https://ui.perfetto.dev or chrome://tracing,
    and `profile/operators.txt`, the operators that took most time by themselves. Warns where there were too few steps.
    """
    if not (session.profile and session.accelerator.is_main_process):
        yield lambda: None
        return
    folder = session.folder.path / "profile"
    written: list[Path] = []

    def write(recorded: profile) -> None:
        if recorded.step_num < WAIT + WARMUP + ACTIVE:  # training ended first, and its end is no training step
            return
        with whole_file(folder / "trace.json") as temporary:
            recorded.export_chrome_trace(str(temporary))
        operators = recorded.key_averages()
        order = "self_device_time_total" if session.accelerator.device.type != "cpu" else "self_cpu_time_total"
        with whole_file(folder / "operators.txt") as temporary:
            heading = f"{ACTIVE} training steps on {session.accelerator.device}, after {WAIT + WARMUP} others\n\n"
            table = operators.table(sort_by=order, row_limit=ROWS, max_name_column_width=60)
            temporary.write_text(heading + table, encoding="utf-8")
        written.append(folder)

    with profile(
        schedule=schedule(wait=WAIT, warmup=WARMUP, active=ACTIVE, repeat=1),
        on_trace_ready=write,
    ) as profiler:
        yield profiler.step
    if not written:
        session.hooks.warn(
            f"--profile takes {WAIT + WARMUP + ACTIVE} training steps, and there were fewer: none is left."
        )
