"""Writing a listener: what happens during a run, told to whoever wants to know; and sections of report.html.

A listener is any class built as `Class(options)` with methods marked by `hookimpl`. They are named as what they hear
(diffmidi_core/hookspecs.py: run_started, scalars, checkpoint_saved, samples_written, run_finished, progress, warned,
report_sections) and take what they need of its arguments, by name. Listeners run on the main process alone; one that
raises is named and switched off, and the run goes on.

    class Losses:
        def __init__(self, options):
            self.losses = {}

        @hookimpl
        def scalars(self, step, values):
            if "loss" in values:
                self.losses[step] = values["loss"]

        @hookimpl
        def report_sections(self, folder, config):
            return [Section("Losses", [Table(("iteration", "loss"), list(self.losses.items()))])]

What lies in a run's folder: `DrawFolder.all(folder / "draws")` has what was drawn, `Judged` the figures that were
measured, `read_facts(folder / "run.json")` what happened to the run, `log_line` a line of metrics.jsonl, `flat(config)`
every setting by its dotted name. `figure_text`, `count_text` and `counted` write numbers as
all of diffmidi does.

Checks of the conformance kit, besides those of every kind: check_listens, check_survives_a_run,
check_leaves_what_it_is_told, check_a_second_run_is_as_the_first, check_a_short_run_is_enough,
check_writes_in_the_runs_folder.
"""

from diffmidi_core.contracts.report import Picture, Section, Table
from diffmidi_core.files import read_json, whole_file
from diffmidi_core.hookspecs import hookimpl
from diffmidi_core.judge.judged import Judged, StoredFigure
from diffmidi_core.layers import changed_options, flat
from diffmidi_core.numbers import (
    better_text,
    clock_text,
    count_text,
    counted,
    figure_text,
    interval_text,
    percent_text,
    spread_text,
)
from diffmidi_core.presets import departures
from diffmidi_core.saved.draw import DrawFolder, PieceRecord, StoredRequest
from diffmidi_core.saved.facts import read_facts
from diffmidi_core.saved.log import log_line
from diffmidi_core.show.notebook import Bar as NotebookBar
from diffmidi_core.show.notebook import in_notebook
from diffmidi_core.train.overfitting import overfits_from

__all__ = [
    "DrawFolder",
    "Judged",
    "NotebookBar",
    "Picture",
    "PieceRecord",
    "Section",
    "StoredFigure",
    "StoredRequest",
    "Table",
    "better_text",
    "changed_options",
    "clock_text",
    "count_text",
    "counted",
    "departures",
    "figure_text",
    "flat",
    "hookimpl",
    "in_notebook",
    "interval_text",
    "log_line",
    "overfits_from",
    "percent_text",
    "read_facts",
    "read_json",
    "spread_text",
    "whole_file",
]
