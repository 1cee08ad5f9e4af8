"""What a listener promises."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
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


def check_leaves_what_it_is_told(component: Component) -> None:
    """The values that it is told are others' too: it changes none of them."""
    told = Told()
    _warnings(component.build(), told)
    expect(not told.changed, f"it changes what it is told at {', '.join(told.changed)}: work on a copy")


def check_a_second_run_is_as_the_first(component: Component) -> None:
    """One listener may hear two runs, of two folders, and a run that is resumed: it takes them as it took the first."""
    listener = component.build()
    for count, name in enumerate(("first", "second", "third"), 1):
        warnings = _warnings(listener)
        expect(not warnings, f"told of a {name} run, {' '.join(warnings)} {'Forget the one before' * (count > 1)}")
    with tempfile.TemporaryDirectory() as folder:
        for resumed in range(2):
            warnings = _warnings(component.build(), folder=Path(folder))
            expect(not warnings, f"{'told of a resumed run, ' * resumed}{' '.join(warnings)}")


def check_a_short_run_is_enough(component: Component) -> None:
    """A run may end at once, tell no scalar or an odd one (NaN, a name it never heard), and begin at any stage."""
    nothing = _told_of(component.build(), (("run_finished", {"figures": {}, "stage": "train"}),))
    expect(not nothing, f"of a run that ends at once: {' '.join(nothing)}")
    odd = {"loss": float("nan"), "norm": float("inf"), "a/b c.d": 0.0, "lr": -1}
    events = [("scalars", {"step": 1, "values": values}) for values in ({}, odd, {"lr": 0.1})]
    events += [("progress", {"what": "train", "done": 0, "total": 0})]
    said = _told_of(component.build(), (*events, ("run_finished", {"figures": {"x": None}, "stage": "train"})))
    expect(not said, f"of odd or no scalars: {' '.join(said)}")


def check_writes_in_the_runs_folder(component: Component) -> None:
    """It writes into the run's folder, and leaves none in the folder that the command was given in."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(elsewhere)
        try:
            _warnings(component.build())
        finally:
            os.chdir(before)
        found = sorted(path.name for path in Path(elsewhere).iterdir())
    expect(not found, f"it writes {', '.join(found[:3])} into the working folder: take `folder` of run_started")


class Told:
    """Compares what a listener was told with what it left."""

    def __init__(self) -> None:
        self.changed: list[str] = []

    def emit(self, hooks: Hooks, event: str, **values: Any) -> None:
        """Tell, and look at the values afterwards."""
        before = copy.deepcopy(values)
        hooks.emit(event, **values)
        if repr(values) != repr(before):
            self.changed.append(event)


def _told_of(listener: object, events: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    with _quiet() as folder:
        hooks = Hooks([("listener", listener)])
        config = resolve().model_dump(mode="json")
        hooks.emit("run_started", folder=folder, config=config, stage="train", about="")
        for event, values in events:
            hooks.emit(event, **({**values, "folder": folder} if event == "run_finished" else values))
        return list(hooks.warnings)


@contextlib.contextmanager
def _quiet(folder: Path | None = None) -> Iterator[Path]:
    """A folder, and nobody who hears what is printed."""
    with (
        tempfile.TemporaryDirectory() as name,
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        yield folder or Path(name)


def _warnings(listener: object, told: Told | None = None, *, folder: Path | None = None) -> list[str]:
    with _quiet(folder) as folder:
        tell = told or Told()
        hooks = Hooks([("listener", listener)])
        config = resolve().model_dump(mode="json")
        figure = asdict(Figure(2.5, "bits per token", 6, "held-out windows", error=0.1))
        figures: dict[str, Any] = {"prepare": {"pieces": 3}, "evaluate": {"bound_bpw": figure, "nothing": None}}
        for stage in STAGES:
            tell.emit(hooks, "run_started", folder=folder, config=config, stage=stage, about="what it is about")
            tell.emit(hooks, "progress", what=stage, done=1, total=2)
            tell.emit(hooks, "progress", what=stage, done=2, total=None)
            if stage == "train":
                tell.emit(hooks, "scalars", step=1, values={"loss": 1.0, "lr": 1e-3, "steps_per_second": 2.0})
                tell.emit(hooks, "scalars", step=2, values={"loss": 0.9, "lr": 1e-3})
                tell.emit(
                    hooks,
                    "scalars",
                    step=2,
                    values={"heldout/bound_bpw": 3.0, "train/bound_bpw": 2.9, "heldout/bound_bpw_error": 0.1},
                )
                tell.emit(hooks, "checkpoint_saved", step=2, path=folder / "checkpoints" / "step-000002")
            if stage == "sample":
                tell.emit(hooks, "samples_written", paths=[folder / "draws" / "1" / "001.mid"])
            tell.emit(hooks, "run_finished", folder=folder, figures=figures.get(stage, {}), stage=stage)
        collect(hooks, folder=folder, config=config, training=lambda: None)  # of a folder that has nothing in it
        tell.emit(hooks, "run_finished", folder=folder, figures={}, stage="run")
        failed = list(hooks.warnings)
        hooks.warn("something the user should know")
        return failed
