"""A trained run to share, and a Hub of our own on this machine."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.cli import main
from diffmidi_core.config import resolve
from diffmidi_core.draw.model import open_model
from diffmidi_core.draw.sample import sample
from diffmidi_core.judge.evaluate import evaluate
from diffmidi_core.machine.session import Session
from diffmidi_core.run.stages import prepare_data
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.train.whole import train

from .stand_in import Hub

SMALL = (
    *("tokenizer.layout=aligned", "backbone.size=tiny", "process.steps=20"),
    *("train.iterations=4", "train.batch_size=4", "train.save_every=2", "train.draw=0"),
    *("sample.count=3", "sample.steps=3", "sample.batch_size=2", "evaluate.windows=8", "evaluate.levels=2"),
)


def music_in(folder: Path) -> str:
    """Four pieces, in "my secret music"."""
    for seed in range(4):
        pitch = np.random.default_rng(seed).integers(40, 90, 80)
        notes = Notes(np.arange(80) * 240, np.full(80, 240), pitch, np.full(80, 80))
        write_midi(score_of(notes), folder / "my secret" / "music" / f"{seed}.mid")
    return str(folder / "my secret" / "music")


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A run of four iterations, sampled and measured; its music lies in "my secret music"."""
    folder = tmp_path_factory.mktemp("home")
    flags = {
        "data": music_in(folder),
        "process": "gaussian",
        "length": 32,
        "precision": "fp32",
        "no_hook": ["all"],
        "no_metric": ["all"],
        "metric": ["bound_bpw", "rounding_bpw", "grammar_faults"],
    }
    config = resolve(None, flags, SMALL)
    session = Session(RunFolder.new(folder / "run", config), config)
    prepare_data(session)
    train(session)
    model = open_model(folder / "run")
    draw = sample(session, model, model.defaults, session.folder.draws)
    evaluate(session, session.folder, model, draw, config.metrics, config.evaluate)
    for suffix in ("roll.png", "wave.png", "wav"):
        (draw.path / f"001.{suffix}").write_bytes(suffix.encode())
    return folder / "run"


@pytest.fixture(scope="session")
def of_bert(tmp_path_factory) -> Path:
    """A run of one iteration around BERT."""
    folder = tmp_path_factory.mktemp("bert")
    flags = {"data": music_in(folder), "process": "gaussian", "backbone": "bert", "length": 32, "precision": "fp32"}
    config = resolve(None, {**flags, "no_hook": ["all"]}, (*SMALL, "train.iterations=1", "train.save_every=1"))
    session = Session(RunFolder.new(folder / "run", config), config)
    prepare_data(session)
    train(session)
    return folder / "run"


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A copy of it, to do with as one likes."""
    return Path(shutil.copytree(trained, tmp_path / "mine"))


@pytest.fixture
def diffmidi(monkeypatch, capfd, tmp_path):
    """Call `diffmidi` in this process: exit code, and all that was said."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["diffmidi", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), "".join(capfd.readouterr())

    return call


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub that knows the token "hf_good", which we have; nothing of it is on the network."""
    from huggingface_hub import constants

    with Hub() as standing_in:
        monkeypatch.setattr(constants, "ENDPOINT", standing_in.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", standing_in.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "hf_good")
        yield standing_in
