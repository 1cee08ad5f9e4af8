"""Trackers as accelerate drives them, and what it leaves to us: going on with a run, sound and pictures."""

from __future__ import annotations

import json
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState, tracking
from numpy.typing import NDArray

from diffmidi.api import DiffmidiError
from diffmidi.api.hook import read_json, whole_file

IDS = "tracking.json"
"""In a run's folder: by which name each tracker goes on with it."""


class Tracker:
    """One of accelerate's trackers, started.

    What is logged at an earlier step than the last is moved to the last: most trackers drop it.
    """

    def __init__(self, started: Any) -> None:
        self.started = started
        self.last = 0

    @property
    def identity(self) -> str | None:
        """What it calls the run, where it takes that to go on with it."""
        return None

    def configure(self, values: Mapping[str, bool | int | float | str]) -> None:
        """Tell what the run was asked."""
        self.started.store_init_configuration(dict(values))

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Tell numbers of a step."""
        self.last = max(self.last, step)
        self.started.log(dict(values), step=self.last)

    def show(self, name: str, path: Path, step: int) -> None:
        """Tell a .wav or .png file. Not every tracker takes them: by default nothing happens."""

    def finish(self) -> None:
        """Write what is not written yet, and close."""
        self.started.finish()


class TensorBoard(Tracker):
    """Takes any step in any order."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Tell numbers of a step."""
        self.started.log(dict(values), step=step)

    def show(self, name: str, path: Path, step: int) -> None:
        """Sound in one channel, which is all that it plays; pictures as they are."""
        writer = self.started.tracker
        if path.suffix == ".wav":
            sound, rate = _mono(path)
            writer.add_audio(name, sound, step, sample_rate=rate)
        else:
            from PIL import Image

            with Image.open(path) as picture:
                writer.add_image(name, np.asarray(picture.convert("RGB")), step, dataformats="HWC")
        writer.flush()


class WandB(Tracker):
    """Weights & Biases."""

    @property
    def identity(self) -> str:
        """Its id of the run."""
        return str(self.started.tracker.id)

    def show(self, name: str, path: Path, step: int) -> None:
        """Both kinds, with the step that they are of: they stand at the last one."""
        import wandb

        said = f"checkpoint {step}"
        told = wandb.Audio(str(path), caption=said) if path.suffix == ".wav" else wandb.Image(str(path), caption=said)
        self.started.tracker.log({name: told}, step=self.last)


class MLflow(Tracker):
    """Keeps files beside a run."""

    @property
    def identity(self) -> str:
        """Its id of the run."""
        return str(self.started.tracker.info.run_id)

    def show(self, name: str, path: Path, step: int) -> None:
        """The file, in a folder for its step."""
        self.started.log_artifact(str(path), f"samples/step-{step:06d}")


_CLASSES: Mapping[str, type[Tracker]] = {"tensorboard": TensorBoard, "wandb": WandB, "mlflow": MLflow}


def open_tracker(name: str, folder: Path, project: str, step: int | None) -> Tracker:
    """Start a tracker for the run in `folder`, or go on where it was told of that run before.

    TensorBoard, Weights & Biases and MLflow go on; the others begin a run of their own each time.
    """
    ids: dict[str, str] = read_json(folder / IDS) if (folder / IDS).exists() else {}
    known, run = ids.get(name), folder.resolve().name
    choices: dict[str, dict[str, Any]] = {
        # TensorBoard leaves out what was told of `step` and later, before.
        "tensorboard": {"run_name": "tensorboard", "logging_dir": str(folder), "purge_step": step},
        "wandb": {"run_name": project, "name": run, "dir": str(folder), "id": known, "resume": "allow"},
        "mlflow": {"experiment_name": project, "run_name": run, "run_id": known},
        "aim": {"run_name": run, "logging_dir": str(folder)},
        "dvclive": {"dir": str(folder / "dvclive")},
    }
    arguments = choices.get(name, {"run_name": project})
    PartialState()  # which accelerate's trackers ask, and a command such as `render` has not needed so far
    started: Any = tracking.LOGGER_TYPE_TO_CLASS[name](**arguments)
    started.start()
    tracker = _CLASSES.get(name, Tracker)(started)
    if tracker.identity not in (None, known):
        with whole_file(folder / IDS) as temporary:
            temporary.write_text(json.dumps({**ids, name: tracker.identity}, indent=2) + "\n", encoding="utf-8")
    return tracker


def _mono(path: Path) -> tuple[NDArray[np.float32], int]:
    """[frames] in one channel, full scale 1, and frames per second."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise DiffmidiError(f"{path.name} is not 16-bit sound.")
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return (frames.mean(axis=1) / 2**15).astype(np.float32), file.getframerate()
