"""The listener for experiment trackers, declared. Which trackers are installed is found out without importing any."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pydantic import field_validator

from diffmidi.api import Declaration, Field, Options

# Named as accelerate names them; each is the name of its module and of its package on PyPI, too.
Name = Literal["tensorboard", "wandb", "mlflow", "comet_ml", "aim", "clearml", "dvclive", "swanlab", "trackio"]


class TrackOptions(Options):
    """Options of `track`."""

    to: tuple[Name, ...] = Field((), description="trackers to tell; `--track NAME` on the command line")
    project: str = Field(
        "diffmidi", min_length=1, description="the project that the run belongs to, where one is asked"
    )
    samples: int = Field(4, ge=0, description="samples told as sound and pictures, to those that take them")

    @field_validator("to", mode="after")
    @classmethod
    def _are_installed(cls, names: tuple[Name, ...]) -> tuple[Name, ...]:
        if missing := [name for name in names if find_spec(name) is None]:
            raise ValueError(f"not installed: pip install {' '.join(missing)}, or leave it out of --track")
        return tuple(dict.fromkeys(names))


track = Declaration(
    summary="experiment trackers: tensorboard, wandb, mlflow; untried, the others that accelerate knows",
    implementation="diffmidi_trackers.track:Track",
    options=TrackOptions,
)
