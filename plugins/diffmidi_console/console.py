"""Console: what a person sees of a run. An ordinary listener; it learns all it shows through the hooks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console as Terminal
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from diffmidi.api import Options, hookimpl
from diffmidi.api.hook import (
    DrawFolder,
    NotebookBar,
    StoredFigure,
    clock_text,
    count_text,
    counted,
    figure_text,
    in_notebook,
    read_json,
    spread_text,
)
from diffmidi_console.figures import tables
from diffmidi_console.prepared import prepared

_SHOWN_EVERY = 10.0
"""Seconds between plain lines where the output is no terminal (a log file, CI)."""
_SOUND = (".wav", ".flac", ".ogg", ".mp3")
ERROR = "heldout/bound_bpw_error"


class Console:
    """One progress bar at a time, a line a stage, and tables at the end."""

    def __init__(self, options: Options) -> None:
        # A notebook gets plain lines, which one output holds together, and a bar of its own between them.
        self.notebook = in_notebook()
        self.terminal = Terminal(force_jupyter=False, width=100) if self.notebook else Terminal(stderr=True)
        self.bar: NotebookBar | None = None
        self.figures = ""
        self.progress_bar: Progress | None = None
        self.task: Any = None
        self.what = ""
        self.last_line = time.monotonic()

    @hookimpl
    def run_started(self, stage: str, about: str) -> None:
        """A heading for each stage."""
        self.terminal.print(Text.assemble((stage, "bold"), f"  {about}" if about else ""), soft_wrap=True)

    @hookimpl
    def progress(self, what: str, done: int, total: int | None) -> None:
        """Move the bar; begin a new one when something else is counted."""
        if self.notebook:
            self._in_notebook(what, done, total)
            return
        if self.progress_bar is None or what != self.what:
            self._close()
            self.what = what
            self.progress_bar = Progress(
                TextColumn("  {task.description}"),
                BarColumn(),
                _Count(table_column=Column(no_wrap=True)),
                _Clock(table_column=Column(no_wrap=True)),
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
                f"  iteration {step}: at most {figure_text(values['heldout/bound_bpw'])}{error} bits per token "
                f"on held-out music, {figure_text(values['train/bound_bpw'])} on training music",
                highlight=False,
            )
        elif "heldout/label_bits" in values:
            self.terminal.print(
                f"  iteration {step}: the label costs {figure_text(values['heldout/label_bits'])} bits "
                f"on held-out music, {figure_text(values['train/label_bits'])} on training music",
                highlight=False,
            )
        elif self.progress_bar is not None or self.notebook:
            speed = values.get("steps_per_second")
            shown = f"loss {figure_text(values['loss'])}" + (f", {figure_text(speed)} steps/s" if speed else "")
            self.figures = shown
            if self.progress_bar is not None:
                self.progress_bar.update(self.task, figures=shown)

    @hookimpl
    def warned(self, message: str) -> bool:
        """A warning in yellow."""
        self.terminal.print(Text.assemble(("Warning: ", "yellow"), message))
        return True

    @hookimpl
    def samples_written(self, paths: Sequence[Path]) -> None:
        """Where there is something to hear of what training draws by itself; commands tell of their own draws."""
        draw = DrawFolder(paths[0].parent) if paths else None
        if draw is not None and draw.while_training:
            heard = next((path for path in paths if path.suffix in _SOUND), paths[0])
            told = f"  iteration {draw.path.name.rpartition('-')[2]}: to hear what it plays by now, open {heard}"
            self.terminal.print(Text(told), soft_wrap=True)

    @hookimpl
    def run_finished(self, folder: Path, figures: Mapping[str, Any], stage: str) -> None:
        """What a stage measured, and at the end where everything lies."""
        self._close()
        if stage == "prepare":
            self._dataset(folder / "data", figures)
        elif stage == "plan":
            self.terminal.print(f"  {counted(figures['iterations'], 'iteration')}", highlight=False)
        elif stage == "evaluate":
            self._table(figures)
        elif stage == "report":
            # A path that is cut by the end of the line cannot be copied.
            self.terminal.print(Text(f"  {folder / 'report.html'}: open it in a browser"), soft_wrap=True)

    def _dataset(self, folder: Path, figures: Mapping[str, Any]) -> None:
        if (report := folder / "data.json").exists():
            self.terminal.print(prepared(folder, read_json(report)))
        else:
            counts = ", ".join(f"{count_text(value)} {name}" for name, value in figures.items())
            self.terminal.print(f"  {counts}", highlight=False)

    def _table(self, figures: Mapping[str, Any]) -> None:
        """One table for each thing that was measured; the caveats stand below them all."""
        known = {name: StoredFigure.model_validate(each) for name, each in figures.items() if each is not None}
        for shown in tables(known, self.terminal.width):
            self.terminal.print(shown, highlight=False)

    def _in_notebook(self, what: str, done: int, total: int | None) -> None:
        if self.bar is None or what != self.what:
            self._close()
            self.what, self.bar, self.figures = what, NotebookBar(what), ""
        self.bar(done, total, self.figures)
        if total is not None and done >= total:
            self.bar = None

    def _plain_line(self, done: int, total: int | None) -> None:
        """A log file gets a line now and then, since it cannot show a moving bar."""
        now = time.monotonic()
        if not self.terminal.is_terminal and now - self.last_line > _SHOWN_EVERY:
            self.last_line = now
            assert self.progress_bar is not None
            task = self.progress_bar.tasks[0]
            figures, left = task.fields["figures"], task.time_remaining
            parts = [f"{self.what}: {_count(done, total)}", figures, f"about {clock_text(left)} left" if left else ""]
            self.terminal.print(f"  {', '.join(filter(None, parts))}", highlight=False)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.finish()
            self.bar = None
        if self.progress_bar is not None:
            self.progress_bar.stop()
            self.progress_bar = None


class _Count(ProgressColumn):
    """How much is done: "12 of 40"; "12" where nobody knows of how many."""

    def render(self, task: Task) -> Text:
        """For the bar."""
        return Text(_count(int(task.completed), None if task.total is None else int(task.total)))


class _Clock(ProgressColumn):
    """How long it took, and will take: "4:08 elapsed, about 2:37 left"."""

    def render(self, task: Task) -> Text:
        """For the bar."""
        elapsed, left = f"{clock_text(task.elapsed or 0)} elapsed", task.time_remaining
        return Text(f"{elapsed}, about {clock_text(left)} left" if left else elapsed)


def _count(done: int, total: int | None) -> str:
    return count_text(done) if total is None else f"{count_text(done)} of {count_text(total)}"
