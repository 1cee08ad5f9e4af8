"""Track: the config at the start, numbers by step, figures, and samples as sound and pictures, told to trackers."""

from __future__ import annotations

import atexit
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diffmidi_core.api import hookimpl, read_json
from diffmidi_trackers.declarations import TrackOptions
from diffmidi_trackers.trackers import Tracker, open_tracker

_MUSIC = (".wav", ".png")


class Track:
    """Opens each tracker when there is first something to tell, and closes it with the run or the program.

    Not before: accelerate's trackers ask which process this is, and the run's own accelerator has to be asked first.
    """

    def __init__(self, options: TrackOptions) -> None:
        self.options = options
        self.trackers: list[Tracker] = []
        self.folder = Path()
        self.config: Mapping[str, Any] = {}
        self.stage = ""

    @hookimpl
    def run_started(self, folder: Path, config: Mapping[str, Any], stage: str) -> None:
        """Remember which run this is."""
        self.folder, self.config, self.stage = folder, config, stage

    @hookimpl
    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of a training step."""
        for tracker in self._opened(step):
            tracker.log(values, step)

    @hookimpl
    def samples_written(self, paths: Sequence[Path]) -> None:
        """The first samples, where they have been rendered, at the step of the checkpoint that drew them."""
        music = [path for path in paths if path.suffix in _MUSIC]
        chosen = list(dict.fromkeys(_stem(path) for path in music))[: self.options.samples]
        for path in (each for each in music if _stem(each) in chosen):
            step = _checkpoint(path.with_name(f"{_stem(path)}.txt"))
            for tracker in self._opened():
                tracker.show("samples/" + path.name.removesuffix(path.suffix).replace(".", "/"), path, step)

    @hookimpl
    def run_finished(self, folder: Path, figures: Mapping[str, Any], stage: str) -> None:
        """What was measured, at the step of the checkpoint it was measured on; and with the run, the end."""
        if stage == "evaluate":
            step = read_json(folder / "figures.json")["checkpoint"] if (folder / "figures.json").exists() else None
            values = {f"figures/{name}": each["value"] for name, each in figures.items() if each is not None}
            for tracker in self._opened():
                tracker.log(values, step or 0)
        elif stage == "run":
            self.close()

    def close(self) -> None:
        """Let every tracker write what it has."""
        atexit.unregister(self.close)
        while self.trackers:
            self.trackers.pop().finish()

    def _opened(self, step: int | None = None) -> Iterator[Tracker]:
        """Every chosen tracker. The first time in a training they begin at `step`: what an interrupted one told of
        later steps is void.
        """
        if not self.trackers and self.options.to:
            atexit.register(self.close)  # the end of a command that is one stage, or that was interrupted
            for name in self.options.to:
                tracker = open_tracker(name, self.folder, self.options.project, step)
                self.trackers.append(tracker)
                if self.stage == "train":
                    tracker.configure(dict(flat(self.config)))
        yield from self.trackers


def flat(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, bool | int | float | str]]:
    """Dotted names to values that every tracker takes; a part is told by its name and its options."""
    for name, value in config.items():
        dotted = f"{above}{name}"
        if isinstance(value, Mapping) and set(value) == {"name", "options"}:
            yield dotted, value["name"]
            yield from flat(value["options"], f"{dotted}.")
        elif isinstance(value, Mapping):
            yield from flat(value, f"{dotted}.")
        elif isinstance(value, list) and all(isinstance(each, Mapping) and "name" in each for each in value):
            yield dotted, ", ".join(each["name"] for each in value)
        else:
            yield dotted, value if isinstance(value, bool | int | float | str) else json.dumps(value)


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]


def _checkpoint(words: Path) -> int:
    """The step that a sample's words say they were drawn at; 0 where they do not."""
    first = words.read_text(encoding="utf-8", errors="replace").partition("\n")[0] if words.is_file() else ""
    found = re.search(r"\bcheckpoint=(\d+)", first)
    return int(found[1]) if found else 0
