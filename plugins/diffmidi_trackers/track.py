"""Track: the config at the start, numbers by step, figures, and samples as sound and pictures, told to trackers."""

from __future__ import annotations

import atexit
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diffmidi.api import hookimpl
from diffmidi.api.hook import DrawFolder, Judged, flat
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
        """Remember which run this is: music that is drawn from a run is told to the run's trackers."""
        self.folder, self.config, self.stage = DrawFolder(folder).run or folder, config, stage

    @hookimpl
    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of a training step."""
        for tracker in self._opened(step):
            tracker.log(values, step)

    @hookimpl
    def samples_written(self, paths: Sequence[Path]) -> None:
        """The first pieces, where they have been rendered, at the step of the checkpoint that drew them."""
        music = [path for path in paths if path.suffix in _MUSIC]
        chosen = list(dict.fromkeys(_stem(path) for path in music))[: self.options.samples]
        for path in (each for each in music if _stem(each) in chosen):
            draw = DrawFolder(path.parent)
            # The draws of one training stand under one name, so that they are heard over its steps.
            above = "training" if draw.while_training else path.parent.name
            name = path.name.removesuffix(path.suffix).replace(".", "/")
            step = draw.request().model.step
            for tracker in self._opened():
                tracker.show(f"samples/{above}/{name}", path, step)

    @hookimpl
    def run_finished(self, folder: Path, figures: Mapping[str, Any], stage: str) -> None:
        """What was measured, at the step of the checkpoint it was measured on; and with the run, the end."""
        if stage == "evaluate" and self.options.to:
            for step, values in by_step(folder, figures).items():
                for tracker in self._opened():
                    tracker.log(values, step)
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
                    tracker.configure(dict(settings(self.config)))
        yield from self.trackers


def settings(config: Mapping[str, Any]) -> Iterator[tuple[str, bool | int | float | str]]:
    """Dotted names to values that every tracker takes; a part is told by its name and its options."""
    for name, value in flat(config).items():
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            yield name, ", ".join(value)
        else:
            yield name, value if isinstance(value, bool | int | float | str) else json.dumps(value)


def by_step(run: Path, figures: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """Figures that `evaluate` found, by the step of the checkpoint that they are of, as the files it wrote say.

    A checkpoint and a draw are judged at once, and the draw may be of another checkpoint. On other music than the
    run's own they have its name.
    """
    files = [*Judged.files(run), *(draw.figures_file for draw in DrawFolder.all(run / "draws"))]
    written = sorted((file for file in files if file.exists()), key=lambda file: -file.stat().st_mtime_ns)
    found: dict[int, dict[str, float]] = {}
    left = {name: figure["value"] for name, figure in figures.items() if figure is not None}
    for file in written:
        if not left:
            break
        drawn = DrawFolder(file.parent)
        judged = Judged.of_draw(drawn) if file == drawn.figures_file else Judged.of_checkpoint(file)
        if judged is None:
            continue
        known = {name: figure.value for name, figure in judged.known.items()}
        its = {name: value for name, value in left.items() if known.get(name) == value}
        above = f"figures/{judged.other}" if judged.other else "figures"
        if its:
            found.setdefault(judged.checkpoint, {}).update({f"{above}/{name}": each for name, each in its.items()})
        left = {name: value for name, value in left.items() if name not in its}
    return found


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]
