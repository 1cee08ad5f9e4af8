"""run.log: what the console says of a run as plain lines with their times, kept in its folder whoever looks on."""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.hookspecs import hookimpl
from diffmidi_core.machine import peers
from diffmidi_core.machine.ranks import is_main
from diffmidi_core.machine.terminal import unbreakable
from diffmidi_core.numbers import count_text, figure_text, spread_text

RUN_LOG = "run.log"
EVERY = 30.0
"""Seconds between two lines that tell how far training is."""


class RunLog:
    """A listener that writes lines into a file. Where it cannot, for a full disk, they are left out: a log ends no run.

    Args:
        file: is made where it is not there, and appended to.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._scalars_at = -EVERY

    def line(self, text: str) -> None:
        """Append it behind the time; of several lines each gets one."""
        at = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write("".join(f"{at}  {line}\n" for line in text.splitlines()))

    @hookimpl
    def run_started(self, stage: str, about: str) -> None:
        """A stage begins."""
        self.line(f"{stage}  {about}".rstrip())

    @hookimpl
    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Every validation pass, and how training goes twice a minute."""
        if "heldout/bound_bpw" in values:
            error = values.get("heldout/bound_bpw_error")
            self.line(
                f"iteration {count_text(step)}: at most {figure_text(values['heldout/bound_bpw'])}"
                f"{'' if error is None else f' {spread_text(error)}'} bits per token on held-out music, "
                f"{figure_text(values['train/bound_bpw'])} on training music"
            )
        elif "loss" in values and time.monotonic() - self._scalars_at >= EVERY:
            self._scalars_at = time.monotonic()
            speed = values.get("steps_per_second")
            self.line(
                f"iteration {count_text(step)}: loss {figure_text(values['loss'])}"
                f"{f', {figure_text(speed)} steps/s' if speed else ''}"
            )

    @hookimpl
    def checkpoint_saved(self, step: int, path: Path) -> None:
        """Where the run can go on from."""
        self.line(f"iteration {count_text(step)}: saved in {path}")

    @hookimpl
    def samples_written(self, paths: Sequence[Path]) -> None:
        """Where new music lies."""
        for folder in dict.fromkeys(path.parent for path in paths):
            self.line(f"music in {folder}: {', '.join(path.name for path in paths if path.parent == folder)}")

    @hookimpl
    def warned(self, message: str) -> None:
        """A warning."""
        self.line(f"Warning: {message}")

    @hookimpl
    def run_finished(self, figures: Mapping[str, Any], stage: str) -> None:
        """What a stage measured."""
        for name, figure in figures.items():
            value = figure.get("value") if isinstance(figure, Mapping) else figure
            if isinstance(value, int | float):
                self.line(f"{name}  {count_text(value) if isinstance(value, int) else figure_text(value)}")
        self.line(f"{stage}  done")


@contextlib.contextmanager
def kept(folder: Path) -> Iterator[None]:
    """While a command works on a run: run.log has how it was called, and how it ended, and a terminal that goes away,
    or the pipe to one, costs nothing but what would have been shown there.
    """
    log = RunLog(folder / RUN_LOG) if is_main() else None

    def line(text: str) -> None:
        if log is not None:
            log.line(text)

    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    gone = "Warning: nobody reads what is shown any more; this goes on."
    with unbreakable(lambda: line(gone)), peers.telling(line):
        line(f"$ {command}  (process {os.getpid()} on {platform.node()})")
        try:
            yield
        except KeyboardInterrupt:
            line("Stopped. What had been written whole is still there.")
            raise
        except Exception as error:
            line(_ending(error))
            raise


def _ending(error: Exception) -> str:
    """What is to be told of an error that ends a command."""
    if (lost := peers.cause_of(error)) is not None:
        return f"Error: {lost}"
    if isinstance(error, DiffmidiError):
        return f"{'' if error.exit_code == 130 else 'Error: '}{error}"
    return "".join(traceback.format_exception(error))
