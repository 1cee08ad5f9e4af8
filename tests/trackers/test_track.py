"""Trackers are told the config, numbers by step, figures and music; TensorBoard's own reader reads it back."""

import json
import sys
import wave
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from accelerate import tracking
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from diffmidi_core.cli import main
from diffmidi_core.config import resolve
from diffmidi_core.errors import UsageError
from diffmidi_core.files import write_json
from diffmidi_core.hooks import Hooks
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import DrawFolder, ModelReference, StoredRequest
from diffmidi_core.sections import Part
from diffmidi_trackers import declarations
from diffmidi_trackers.declarations import TrackOptions
from diffmidi_trackers.track import Track, settings

FIGURE = {"value": 2.5, "unit": "bits per token", "count": 6, "of": "windows"}


def told(run: Path) -> EventAccumulator:
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "audio": 0, "scalars": 0})
    return events.Reload()


def steps(events: EventAccumulator, name: str) -> list[int]:
    return [event.step for event in events.Scalars(name)]


def listening(*, samples=4) -> Hooks:
    return Hooks([("track", Track(TrackOptions(to=("tensorboard",), samples=samples)))])


def train(hooks: Hooks, run: Path, first: int, last: int) -> None:
    hooks.emit("run_started", folder=run, config=resolve().model_dump(mode="json"), stage="train", about="")
    for step in range(first, last + 1):
        hooks.emit("scalars", step=step, values={"loss": 1 / step, "lr": 1e-3})


def render(hooks: Hooks, run: Path, count: int, checkpoint: int, name: str = "1") -> None:
    paths = []
    draw = DrawFolder(run / "draws" / name)
    (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text("{}")
    model = ModelReference(path=str(run), step=checkpoint, fingerprint="w")
    stored = StoredRequest(at=datetime.now(UTC), model=model, request=Request(sampler=Part(name="confidence")))
    write_json(draw.request_file, stored.model_dump(mode="json"))
    for number in range(1, count + 1):
        sound = draw.path / f"{number:03d}.wav"
        with wave.open(str(sound), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(np.tile([8000, 16000], 100).astype("<i2").tobytes())
        Image.new("RGBA", (6, 3), "red").save(sound.with_suffix(".roll.png"))
        paths += [sound.with_suffix(suffix) for suffix in (".mid", ".wav", ".roll.png")]
    hooks.emit("run_started", folder=draw.path, config={}, stage="render", about="")
    hooks.emit("samples_written", paths=paths)


def judge(run: Path, file: str, **values: float) -> dict:
    """Writes figures as `evaluate` does, and returns them."""
    figures = {name: {**FIGURE, "value": value} for name, value in values.items()}
    about = {"checkpoint": int(file.split("-")[1][:6]), "weights": "w"} if file.startswith("figures") else {}
    write_json(run / file, {**about, "split": "test", "figures": figures})
    return figures


def test_tensorboard_is_told_everything(tmp_path):
    run, hooks = tmp_path / "mine", listening(samples=1)
    train(hooks, run, 1, 3)
    figures = judge(run, "figures/step-000002.json", bound_bpw=2.5)
    hooks.emit("run_finished", folder=run, figures={**figures, "none": None}, stage="evaluate")
    render(hooks, run, 2, checkpoint=2)
    hooks.emit("run_finished", folder=run, figures={}, stage="run")
    assert hooks.warnings == []

    events = told(run)
    assert [(event.step, round(event.value, 4)) for event in events.Scalars("loss")] == [(1, 1), (2, 0.5), (3, 0.3333)]
    assert [(event.step, event.value) for event in events.Scalars("figures/bound_bpw")] == [(2, 2.5)]
    assert events.Tags()["audio"] == ["samples/1/001"], "one sample was asked for"
    (sound,) = events.Audio("samples/1/001")
    assert (sound.step, sound.sample_rate, sound.length_frames) == (2, 8000, 100)
    (picture,) = events.Images("samples/1/001/roll")
    assert (picture.step, picture.width, picture.height) == (2, 6, 3)
    (asked,) = (run / "tensorboard").glob("*/hparams.yml")
    assert "train.lr: 0.002" in asked.read_text()
    assert "backbone: modern" in asked.read_text()


def test_a_resumed_training_takes_the_place_of_what_was_cut_off(tmp_path):
    run, cut_off, resumed = tmp_path / "mine", listening(), listening()
    train(cut_off, run, 1, 9)
    train(resumed, run, 7, 12)
    for hooks in (cut_off, resumed):
        hooks.emit("run_finished", folder=run, figures={}, stage="run")
    assert steps(told(run), "loss") == list(range(1, 13))


def test_music_made_later_takes_nothing_away(tmp_path):
    run, first, later = tmp_path / "mine", listening(), listening()
    train(first, run, 1, 9)
    render(later, run, 1, checkpoint=4)
    for hooks in (first, later):
        hooks.emit("run_finished", folder=run, figures={}, stage="run")
    events = told(run)
    assert steps(events, "loss") == list(range(1, 10))
    assert [event.step for event in events.Audio("samples/1/001")] == [4]


def test_music_and_figures_stand_at_the_step_of_the_checkpoint_that_they_are_of(tmp_path):
    run, hooks = tmp_path / "mine", listening()
    train(hooks, run, 1, 9)
    for step in (4, 8):
        render(hooks, run, 1, checkpoint=step, name=f"step-{step}")
    render(hooks, run, 1, checkpoint=4, name="evening")
    judge(run, "figures/step-000006.json", bound_bpw=9.0)
    found = judge(run, "figures/step-000008.json", bound_bpw=3.0) | judge(
        run, "draws/evening/figures.json", polyphony=2
    )
    hooks.emit("run_finished", folder=run, figures=found, stage="evaluate")
    other = judge(run, "figures/step-000008.jazz.json", bound_bpw=4.0)
    hooks.emit("run_finished", folder=run, figures=other, stage="evaluate")
    hooks.emit("run_finished", folder=run, figures={}, stage="run")
    assert hooks.warnings == []
    events = told(run)
    assert [event.step for event in events.Audio("samples/training/001")] == [4, 8]
    assert [event.step for event in events.Audio("samples/evening/001")] == [4]
    assert [(event.step, event.value) for event in events.Scalars("figures/bound_bpw")] == [(8, 3.0)]
    assert [(event.step, event.value) for event in events.Scalars("figures/jazz/bound_bpw")] == [(8, 4.0)]
    assert [(event.step, event.value) for event in events.Scalars("figures/polyphony")] == [(4, 2.0)]
    assert not (run / "draws" / "evening" / "tensorboard").exists()


def test_nothing_is_opened_before_there_is_something_to_tell(tmp_path):
    hooks = listening()
    hooks.emit("run_started", folder=tmp_path, config={}, stage="train", about="")
    hooks.emit("run_finished", folder=tmp_path, figures={}, stage="train")
    hooks.emit("samples_written", paths=[tmp_path / "draws" / "1" / "001.mid"])
    assert list(tmp_path.iterdir()) == []


def test_without_a_tracker_nothing_happens(tmp_path):
    hooks = Hooks([("track", Track(TrackOptions()))])
    train(hooks, tmp_path / "mine", 1, 2)
    assert hooks.warnings == []
    assert list(tmp_path.iterdir()) == []


def test_the_config_is_flat_and_of_plain_values():
    config = resolve(flags={"hook.track.to": ["tensorboard"]}, assignments=["backbone.size=tiny"])
    values = dict(settings(config.model_dump(mode="json")))
    assert values["backbone"] == "modern"
    assert values["backbone.size"] == "tiny"
    assert values["train.lr"] == config.train.lr
    assert values["hooks"].endswith("track")
    assert all(isinstance(value, bool | int | float | str) for value in values.values())


def test_the_flag_adds_the_listener_to_those_chosen_and_keeps_its_options():
    def hooks(file=None, **flags):
        config = resolve(file, flags={name.replace("__", "."): value for name, value in flags.items()})
        return config.model_dump(mode="json"), {part.name: part.options for part in config.hooks}

    saved, chosen = hooks(hook__track__to=("tensorboard", "tensorboard"))
    assert list(chosen) == ["console", "report", "track"]
    assert chosen["track"]["to"] == ["tensorboard"]
    saved["hooks"][-1]["options"]["project"] = "bach"
    _, again = hooks(saved, hook__track__to=("tensorboard",))
    assert again["track"]["project"] == "bach"
    _, alone = hooks(no_hook=["report"], hook__track__to=("tensorboard",))
    assert list(alone) == ["console", "track"]


def test_a_tracker_that_is_not_installed_or_not_known_is_said_before_anything_else(monkeypatch):
    monkeypatch.setattr(declarations, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"not installed: pip install wandb mlflow, or leave it out of --track"):
        resolve(flags={"hook.track.to": ("wandb", "mlflow")})
    with pytest.raises(UsageError, match="should be 'tensorboard', 'wandb'"):
        resolve(flags={"hook.track.to": ("tensorbord",)})


def test_a_whole_run_is_tracked(tmp_path, monkeypatch, music):
    monkeypatch.chdir(tmp_path)
    small = "-o backbone.size=tiny -o process.steps=20 -o train.log_every=1 -o evaluate.windows=2 -o evaluate.levels=2"
    asked = (
        "--process gaussian -o tokenizer.layout=aligned --iterations 2 --batch-size 2 --length 32 --steps 2 "
        f"--samples 1 --precision fp32 {small}"
    )
    words = ["run", "--data", str(music), "--out", "mine", "--track", "tensorboard", *asked.split()]
    words += ["--no-metric", "all", "--metric", "bound_bpw", "--no-renderer", "all", "--renderer", "pianoroll"]
    monkeypatch.setattr(sys, "argv", ["diffmidi", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    events = told(Path("mine"))
    assert steps(events, "loss") == [1, 2]
    assert steps(events, "heldout/bound_bpw") == [0, 2]
    assert len(events.Scalars("figures/bound_bpw")) == 1
    assert events.Tags()["images"] == ["samples/training/001/roll", "samples/1/001/roll"]
    hooks = json.loads(Path("mine/config.json").read_text())["hooks"]
    assert hooks[-1]["options"]["to"] == ["tensorboard"]


class Fake:
    """What accelerate makes of Weights & Biases, as far as we use it; keeps what it is told."""

    told: ClassVar[list] = []

    def __init__(self, run_name, **arguments):
        self.told.append(arguments)

    def start(self):
        self.tracker = SimpleNamespace(id="abc")

    def store_init_configuration(self, values):
        pass

    def log(self, values, step):
        self.told.append((step, list(values)))

    def finish(self):
        self.told.append("finished")


def test_a_tracker_goes_on_with_its_run_and_never_steps_back(tmp_path, monkeypatch):
    monkeypatch.setattr(declarations, "find_spec", lambda name: name)
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "wandb", Fake)
    for first in (1, 3):
        hooks = Hooks([("track", Track(TrackOptions(to=("wandb",), project="bach")))])
        train(hooks, tmp_path, first, first + 1)
        figures = judge(tmp_path, "figures/step-000001.json", bound_bpw=2.5)
        hooks.emit("run_finished", folder=tmp_path, figures=figures, stage="evaluate")
        hooks.emit("run_finished", folder=tmp_path, figures={}, stage="run")
        assert hooks.warnings == []
    opened = [each for each in Fake.told if isinstance(each, dict)]
    assert [each["id"] for each in opened] == [None, "abc"]
    assert [each[0] for each in Fake.told if isinstance(each, tuple)] == [1, 2, 2, 3, 4, 4]
    assert Fake.told.count("finished") == 2
