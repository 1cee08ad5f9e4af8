"""Report: the built-in sections of report.html. An ordinary listener, which reads all it shows from the run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffmidi.api import hookimpl
from diffmidi.api.hook import Section
from diffmidi_report.declarations import ReportOptions

if TYPE_CHECKING:
    from diffmidi.api.metric import TrainingMusic


class Report:
    """Overview, samples, figures, training and tokens. jinja2 and matplotlib are imported when a report is written."""

    def __init__(self, options: ReportOptions) -> None:
        self.options = options

    @hookimpl
    def report_sections(
        self, folder: Path, config: Mapping[str, Any], training: Callable[[], TrainingMusic | None]
    ) -> list[Section]:
        """The built-in sections, of as much as the folder holds."""
        from diffmidi_report.run import Run
        from diffmidi_report.sections import sections

        return sections(Run.read(folder, config), training, self.options)
