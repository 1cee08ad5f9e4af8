"""A small model that was never trained, prepared music, a draw, and metrics that fail in every way."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from diffmidi import read_midi
from diffmidi.api import hookimpl
from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core import registry
from diffmidi_core.config import resolve
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.hooks import Hooks
from diffmidi_core.judge.metrics import Metrics
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.judge.settings import Judging
from diffmidi_core.machine.build import build_process, build_tokenizer
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.registry import find
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import DrawFolder, ModelReference, PieceRecord
from diffmidi_core.sections import EvaluateConfig, Part

LENGTH = 32


def write_music(folder, seeds, notes=48):
    for seed in seeds:
        pitch = np.random.default_rng(seed).integers(40, 90, notes)
        write_midi(
            score_of(Notes(np.arange(notes) * 240, np.full(notes, 240), pitch, np.full(notes, 80))),
            folder / f"{seed}.mid",
        )
    return folder


class Ears:
    """Remembers the warnings, and how far the work was."""

    def __init__(self):
        self.warnings, self.progress = [], []

    @hookimpl
    def warned(self, message):
        self.warnings.append(message)

    @hookimpl
    def progress(self, what, done, total):
        self.progress.append((what, done, total))


@pytest.fixture
def ears():
    return Ears()


@pytest.fixture
def hooks(ears):
    return Hooks([("ears", ears)])


@pytest.fixture
def work(hooks):
    work = Surroundings(precision="fp32")
    work.hooks = hooks
    return work


@dataclass
class Model:
    """What judging takes of a model."""

    process: object
    length: int = LENGTH
    bars: int = 8
    step: int = 400
    fingerprint: str = "weights of the test"

    parts: dict = field(default_factory=lambda: {"process": Part(name="gaussian")})
    manifest: object = field(default_factory=lambda: SimpleNamespace(tokenizer=Part(name="mmm")))

    @property
    def tokenizer(self):
        return self.process.tokenizer


@pytest.fixture(scope="session")
def make_model():
    def make(process="gaussian"):
        steps = ("process.steps=20",) if process == "gaussian" else ()
        config = resolve(
            None, {"process": process, "length": LENGTH}, ("tokenizer.layout=aligned", "backbone.size=tiny", *steps)
        )
        return Model(build_process(config, build_tokenizer(config)).eval())

    return make


@pytest.fixture(scope="session")
def model(make_model):
    return make_model()


@pytest.fixture(scope="session")
def data(tmp_path_factory, model):
    """A token dataset of twelve pieces."""
    folder = tmp_path_factory.mktemp("data")
    music = write_music(folder / "music", range(12))
    source = find("source", "folder").build(data=str(music))
    prepare(source, model.tokenizer, folder / "data", Choices(heldout=0.2, test=0.3), hooks=Hooks())
    return folder / "data"


@pytest.fixture
def reference(data, model):
    return ReferenceMusic(data, model.tokenizer, length=LENGTH)


@pytest.fixture
def draw(tmp_path, model):
    """Three pieces of eight notes."""
    draw = DrawFolder.claim(tmp_path / "draws")
    reference = ModelReference(path="a run", step=400, fingerprint=model.fingerprint)
    draw.begin(reference, Request(count=3, seed=7, sampler=Part(name="ddpm")))
    music = write_music(tmp_path / "drawn", (100, 101, 102), notes=8)
    add_pieces(draw, [model.tokenizer.encode(read_midi(file)) for file in sorted(music.iterdir())], model.tokenizer)
    return draw


def add_pieces(draw, pieces, tokenizer):
    for number, ids in enumerate(pieces, start=1):
        tokens, notes = tokenizer.to_tokens(ids), tokenizer.count_notes(ids)
        draw.add(PieceRecord(number=number, notes=notes, record={"grammar_changes": number}, tokens=tokens))


def change_pieces(draw, change):
    """Draw the same again with other tokens."""
    pieces = draw.pieces()
    draw.record_file.unlink()
    for piece in pieces:
        draw.add(piece.model_copy(update={"tokens": change(piece.tokens)}))


@pytest.fixture
def judging(hooks):
    """Makes settings from names of metrics."""

    def make(*names, windows=6, levels=2):
        parts = [Part(name=name) for name in names]
        return Judging(Metrics(parts, hooks.warn), EvaluateConfig(windows=windows, levels=levels, batch_size=4))

    return make


FAILING = """
from diffmidi.api import MetricDeclaration
from diffmidi.api.metric import Figure, Metric

class Base(Metric):
    subject = "samples"
    def measure(self, item): return {"one": 1.0}
    def summarise(self, rows, reference=()): return Figure(1.0, "units", len(rows), "samples")

class Build(Base):
    def __init__(self, options): raise RuntimeError("no such table")
class Measure(Base):
    def measure(self, item): raise KeyError("pitch")
class Summarise(Base):
    def summarise(self, rows, reference=()): return 1 / 0
class Leaves(Base):
    def measure(self, item): raise SystemExit(3)
class Interrupted(Base):
    def measure(self, item): raise KeyboardInterrupt
class Infinite(Base):
    def summarise(self, rows, reference=()): return Figure(float("nan"), "units", len(rows), "samples")
class Number(Base):
    def summarise(self, rows, reference=()): return 3.0
class Tensor(Base):
    def measure(self, item): return {"one": object()}
class Homeless(Base):
    subject = "weather"
class Tokens(Base):
    def measure(self, item): return {"tokens": len(item.ids)}
class Sound(Base): pass

for each in ("Build", "Measure", "Summarise", "Leaves", "Interrupted", "Infinite", "Number", "Tensor", "Homeless",
             "Tokens", "Sound"):
    globals()[each.lower()] = MetricDeclaration(summary="a test", implementation=f"failing_metrics:{each}")
"""


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """A package "acme-metrics 1.2", whose metrics fail as they are called; `sound` does not."""
    folder = tmp_path / "site"
    info = folder / "acme_metrics-1.2.dist-info"
    info.mkdir(parents=True)
    (folder / "failing_metrics.py").write_text(FAILING)
    names = ("build", "measure", "summarise", "leaves", "interrupted", "infinite", "number", "tensor", "homeless")
    names += ("tokens", "sound")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-metrics\nVersion: 1.2\n")
    entries = "\n".join(f"{name} = failing_metrics:{name}" for name in names)
    (info / "entry_points.txt").write_text(f"[diffmidi.metrics]\n{entries}\n")
    monkeypatch.syspath_prepend(str(folder))
    registry.forget_installed()
    yield names
    monkeypatch.undo()
    sys.modules.pop("failing_metrics", None)
    registry.forget_installed()


def written(path):
    return json.loads(Path(path).read_text())
