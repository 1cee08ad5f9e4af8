"""A listener that writes training figures down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diffmidi.api import hookimpl
from diffmidi_plugin_template.declarations import CsvOptions


class CsvLog:
    """One line a figure: step,name,value. A resumed run goes on where the file ends.

    A listener takes what it needs of each hook's arguments, by name.
    """

    def __init__(self, options: CsvOptions) -> None:
        self.options = options
        self.path = Path(options.name)

    @hookimpl
    def run_started(self, folder: Path) -> None:
        """Find out where the run is."""
        self.path = folder / self.options.name

    @hookimpl
    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add lines."""
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(f"{step},{name},{value:.6g}\n" for name, value in values.items())
