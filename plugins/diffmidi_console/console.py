"""Console: what a person sees of a run. An ordinary listener; it learns all it shows through the hooks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from diffmidi.api import Options, hookimpl
from diffmidi.api.hook import clock_text, count_text, figure_text, interval_text, read_json, spread_text
from diffmidi_console.prepared import prepared

_SHOWN_EVERY = 10.0
"""Seconds between plain lines where the output is no terminal (a log file, CI)."""
ERROR = "heldout/bound_bpw_error"


class Console:
    """One progress bar at a time, a line a stage, and tables at the end."""

    def __init__(self, options: Options) -> None:
        self.terminal = Terminal(stderr=True)
        self.progress_bar: Progress | None = None
        self.task: Any = None
        self.what = ""
        self.last_line = time.monotonic()

    @hookimpl
    def run_started(self, stage: str, about: str) -> None:
        """A heading for each stage."""
        self.terminal.print(f"[bold]{stage}[/bold]  {about}".strip(), highlight=False)

    @hookimpl
    def progress(self, what: str, done: int, total: int | None) -> None:
        """Move the bar; begin a new one when something else is counted."""
        if self.progress_bar is None or what != self.what:
            self._close()
            self.what = what
            self.progress_bar = Progress(
                TextColumn("  {task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[figures]}"),
                console=self.terminal,
            )
            self.progress_bar.start()
            self.task = self.progress_bar.add_task(what, total=total, figures="")
        self.progress_bar.update(self.task, completed=done, total=total)
        self._plain_line(done, total)
        if total is not None and done >= total:
            self._close()

    @hookimpl
    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Loss and speed beside the bar; held-out figures on a line of their own."""
        if "heldout/bound_bpw" in values:
            error = f" {spread_text(values[ERROR])}" if ERROR in values else ""
            self.terminal.print(
                f"  iteration {step}: held-out bound {figure_text(values['heldout/bound_bpw'])}{error} bits per word "
                f"(training music: {figure_text(values['train/bound_bpw'])})",
                highlight=False,
            )
        elif self.progress_bar is not None:
            speed = values.get("steps_per_second")
            shown = f"loss {figure_text(values['loss'])}" + (f"  {figure_text(speed)} steps/s" if speed else "")
            self.progress_bar.update(self.task, figures=shown)

    @hookimpl
    def warned(self, message: str) -> bool:
        """A warning in yellow."""
        self.terminal.print(Text.assemble(("Warning: ", "yellow"), message))
        return True

    @hookimpl
    def run_finished(self, folder: Path, figures: Mapping[str, Any], stage: str) -> None:
        """What a stage found, and at the end where everything lies."""
        self._close()
        if stage == "prepare":
            self._dataset(folder / "data", figures)
        elif stage == "evaluate":
            self._table(figures)
        elif stage == "report":
            self.terminal.print(f"  {folder / 'report.html'}: open it in a browser", highlight=False)

    def _dataset(self, folder: Path, figures: Mapping[str, Any]) -> None:
        if (report := folder / "data.json").exists():
            self.terminal.print(prepared(folder, read_json(report)))
        else:
            said = ", ".join(f"{count_text(value)} {name}" for name, value in figures.items())
            self.terminal.print(f"  {said}", highlight=False)

    def _table(self, figures: Mapping[str, Any]) -> None:
        """One table for each thing that was measured; what must be said beside a figure stands below them all."""
        notes: list[str] = []
        found = {name: figure for name, figure in figures.items() if figure is not None}
        for of in dict.fromkeys(figure["of"] for figure in found.values()):
            here = {name: figure for name, figure in found.items() if figure["of"] == of}
            self.terminal.print(_figures(of, here, notes))
        if len(found) < len(figures):
            without = ", ".join(name for name in figures if name not in found)
            self.terminal.print(f"  Nothing to measure for {without}.", highlight=False)
        for number, note in enumerate(notes, 1):
            self.terminal.print(f"  {_mark(number)} {note}", highlight=False)

    def _plain_line(self, done: int, total: int | None) -> None:
        """A log file gets a line now and then, since it cannot show a moving bar."""
        now = time.monotonic()
        if not self.terminal.is_terminal and now - self.last_line > _SHOWN_EVERY:
            self.last_line = now
            assert self.progress_bar is not None
            left = self.progress_bar.tasks[0].time_remaining
            said = f"  {self.what} {done}/{total or '?'}  {self.progress_bar.tasks[0].fields['figures']}"
            self.terminal.print(
                said + (f"  about {clock_text(left)} left" if left is not None else ""), highlight=False
            )

    def _close(self) -> None:
        if self.progress_bar is not None:
            self.progress_bar.stop()
            self.progress_bar = None


def _figures(of: str, figures: Mapping[str, Any], notes: list[str]) -> Table:
    """A table of figures of one kind of thing, 100 columns wide at most; adds to `notes` what its marks refer to."""
    beside = any(figure["reference"] is not None for figure in figures.values())
    count = max(figure["count"] + figure["skipped"] for figure in figures.values())
    table = Table(title=f"{count} {of}" + " beside held-out music" * beside, title_justify="left", expand=False)
    columns = ["figure", "value", "95 % interval", *(["held-out"] if beside else []), "unit"]
    for heading in columns:
        left = heading in ("figure", "unit")
        table.add_column(heading, justify="left" if left else "right", no_wrap=heading == "figure")
    above = ""
    for name, figure in figures.items():
        group, _, part = name.partition("/")
        if part and group != above:
            table.add_row(group)
        above = group
        spread = (
            f" {spread_text(figure['error'])}" if figure["error"] is not None and figure["interval"] is None else ""
        )
        cells = [f"  {part}" if part else name, f"{figure_text(figure['value'])}{spread}{_marks(figure, notes)}"]
        cells.append("" if figure["interval"] is None else interval_text(figure["interval"]))
        if beside:
            cells.append("" if figure["reference"] is None else figure_text(figure["reference"]))
        table.add_row(*cells, figure["unit"])
    return table


def _marks(figure: Mapping[str, Any], notes: list[str]) -> str:
    said = [figure["note"]] if figure["note"] else []
    if figure["skipped"]:
        said.append(f"{figure['skipped']} of the {figure['of']} hold too little music to be measured; left out.")
    notes += [note for note in said if note not in notes]
    return "".join(f" {_mark(notes.index(note) + 1)}" for note in said)


def _mark(number: int) -> str:
    return "*" * number if number <= 3 else f"*{number}"
