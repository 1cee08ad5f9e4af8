"""What a listener promises."""

from __future__ import annotations

import contextlib
import io
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diffmidi_core import hookspecs
from diffmidi_core.config import resolve
from diffmidi_core.contracts.metric import Figure
from diffmidi_core.hooks import Hooks
from diffmidi_core.show.report import collect
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect

STAGES = ("prepare", "train", "sample", "evaluate", "render", "report")


def use(listener: object) -> None:
    """What a run tells it."""
    _warnings(listener)


def check_listens(component: Component) -> None:
    """It implements at least one hook."""
    events = [name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "diffmidi_spec")]
    listener = component.build()
    heard = [event for event in events if hasattr(getattr(listener, event, None), "diffmidi_impl")]
    expect(heard, f"no method is marked with hookimpl; hooks: {', '.join(events)}")


def check_survives_a_run(component: Component) -> None:
    """It takes everything that a run tells it; one that raises is switched off in the middle."""
    warnings = _warnings(component.build())
    expect(not warnings, " ".join(warnings))


def _warnings(listener: object) -> list[str]:
    with (
        tempfile.TemporaryDirectory() as name,
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        folder = Path(name)
        hooks = Hooks([("listener", listener)])
        config = resolve().model_dump(mode="json")
        figure = asdict(Figure(2.5, "bits per token", 6, "held-out windows", error=0.1))
        figures: dict[str, Any] = {"prepare": {"pieces": 3}, "evaluate": {"bound_bpw": figure, "nothing": None}}
        for stage in STAGES:
            hooks.emit("run_started", folder=folder, config=config, stage=stage, about="what it is about")
            hooks.emit("progress", what=stage, done=1, total=2)
            hooks.emit("progress", what=stage, done=2, total=None)
            if stage == "train":
                hooks.emit("scalars", step=1, values={"loss": 1.0, "lr": 1e-3, "steps_per_second": 2.0})
                hooks.emit("scalars", step=2, values={"loss": 0.9, "lr": 1e-3})
                hooks.emit(
                    "scalars",
                    step=2,
                    values={"heldout/bound_bpw": 3.0, "train/bound_bpw": 2.9, "heldout/bound_bpw_error": 0.1},
                )
                hooks.emit("checkpoint_saved", step=2, path=folder / "checkpoints" / "step-000002")
            if stage == "sample":
                hooks.emit("samples_written", paths=[folder / "draws" / "1" / "001.mid"])
            hooks.emit("run_finished", folder=folder, figures=figures.get(stage, {}), stage=stage)
        collect(hooks, folder=folder, config=config, training=lambda: None)  # of a folder that has nothing in it
        hooks.emit("run_finished", folder=folder, figures={}, stage="run")
        failed = list(hooks.warnings)
        hooks.warn("something the user should know")
        return failed
