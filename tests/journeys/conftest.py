"""The program as a person uses it: a folder of music, and `diffmidi` with its words."""

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.cli import main
from diffmidi_core.saved.draw import DrawFolder, PieceRecord
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.train import validation

from .forked import ALIGNED, MODEL, TRAIN, Starter
from .left import leave as leave

SMALL = shlex.split(
    "--iterations 6 --batch-size 4 --length 96 --steps 3 --samples 2 --precision fp32 "
    "-o backbone.size=tiny -o train.log_every=2 -o train.evaluate_every=3 -o train.save_every=2 "
    "-o train.draw=0 -o evaluate.windows=6 -o evaluate.levels=2"
)
"""A whole run of any process in a second or two."""
TRAINED = shlex.split(
    "--iterations 6 --batch-size 4 --length 96 --precision fp32 -o backbone.size=tiny -o train.log_every=2 "
    "-o train.evaluate_every=3 -o train.save_every=2 -o train.draw=0"
)
"""What of it `train` takes: six iterations of the default process."""
NORMAL = ("--process", "gaussian", "-o", "process.steps=20", "--length", "32")
GAUSSIAN = (*NORMAL, *ALIGNED)
UNPLANNED = [*SMALL, *NORMAL]
TINY = [*SMALL, *GAUSSIAN]
JUDGED = ("-o", "evaluate.windows=6", "-o", "evaluate.levels=2")
QUIET = ("--no-renderer", "all", "--no-hook", "report", *JUDGED)
"""For a run that nobody hears or sees: sound, pictures and the page are half of the time of one so small."""
UNHEARD = ("--no-renderer", "all")
"""For one whose page alone is looked at."""


def drawn(run: Path | str, name: str | None = None) -> list[PieceRecord]:
    """The pieces of a draw of a run; by default of the newest."""
    return RunFolder.open(Path(run)).draw(name).pieces()


def silence(run: Path) -> None:
    """Take away the sound of all draws, which is most of the time that a page of them takes."""
    for path in run.glob("draws/*/*.wav"):
        path.unlink()


@dataclass
class Said:
    """What a command printed and how it left."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def short_validation():
    """Validation passes as short as all else here: of so few windows each would be measured at 32 levels and more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "WINDOWS", 4)
        yield


@pytest.fixture(scope="session")
def music(tmp_path_factory) -> Path:
    """Twelve small pieces, each an arpeggio that wanders."""
    folder = tmp_path_factory.mktemp("music")
    for seed in range(12):
        rng = np.random.default_rng(seed)
        onset = np.arange(64) * 240
        pitch = 60 + np.tile([0, 4, 7, 12], 16) + np.repeat(rng.integers(-5, 6, 16), 4)
        write_midi(score_of(Notes(onset, np.full(64, 240), pitch, np.full(64, 80))), folder / f"piece {seed}.mid")
    return folder


@pytest.fixture
def diffmidi(monkeypatch, capfd, tmp_path):
    """Call `diffmidi` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["diffmidi", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfd.readouterr()
        return Said(int(left.value.code or 0), out, err)

    return call


def finish(*words: object) -> int:
    """Call `diffmidi` in this process, for a fixture that outlives a test; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["diffmidi", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0)


@pytest.fixture(scope="session")
def finished(music, tmp_path_factory) -> Path:
    """A whole run of six iterations with a draw of two pieces, to be copied by `mine`."""
    folder = tmp_path_factory.mktemp("finished") / "mine"
    drawing = (*JUDGED, "--steps", "3", "--samples", "2")
    assert finish("run", "--data", music, "--out", folder, *TRAINED, *drawing) == 0
    return folder


@pytest.fixture
def mine(finished, diffmidi) -> Path:
    """A copy of the finished run in the folder where `diffmidi` is called."""
    return Path(shutil.copytree(finished, "mine"))


@pytest.fixture(scope="session")
def starter(tmp_path_factory):
    starter = Starter(tmp_path_factory.mktemp("starter") / "log")
    yield starter
    starter.close()


@pytest.fixture(scope="module")
def prepared(starter, music, tmp_path_factory):
    """The folder of a run that has its data, laid out note by note, and is not trained."""
    folder = tmp_path_factory.mktemp("runs")
    starter.run("prepare", music, "--out", "prepared", *ALIGNED, folder=folder)
    return folder / "prepared"


@pytest.fixture(scope="module")
def trained(starter, prepared):
    """Trains a copy of the prepared run by name; gives its folder, trained once."""

    def train(name, *words, **how):
        run = prepared.parent / name
        if not run.exists():
            shutil.copytree(prepared, run)
            starter.run("train", name, *MODEL, *TRAIN, *words, folder=run.parent, **how)
        return run

    return train


@pytest.fixture
def halved(diffmidi, monkeypatch):
    """Interrupts a command after so many pieces; gives what it printed."""

    def halve(after, *words):
        add = DrawFolder.add

        def interrupted(self, piece):
            if piece.number > after:
                raise KeyboardInterrupt
            add(self, piece)

        with monkeypatch.context() as patch:
            patch.setattr(DrawFolder, "add", interrupted)
            return diffmidi(*words)

    return halve
