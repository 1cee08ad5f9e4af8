"""The worker with a real model: what it writes is what the commands write."""

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from diffmidi_core.cli import group
from diffmidi_core.config import resolve
from diffmidi_core.machine.session import Session
from diffmidi_core.music.notes import Notes, score_of
from diffmidi_core.run.stages import prepare_data
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.studio.app import application
from diffmidi_core.studio.jobs import Jobs
from diffmidi_core.studio.library import Library
from diffmidi_core.train.whole import train

from .conftest import HOST, TOKEN, Page

SMALL = (
    *("backbone.size=tiny", "train.iterations=2", "train.batch_size=2", "train.draw=0"),
    *("evaluate.windows=2", "evaluate.levels=1"),
)


def command(*words: object) -> str:
    return CliRunner().invoke(group, [*map(str, words)], catch_exceptions=False, standalone_mode=False).output


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    for seed in range(6):
        pitch = 60 + np.random.default_rng(seed).integers(-5, 12, 64)
        score = score_of(Notes(np.arange(64) * 240, np.full(64, 240), pitch, np.full(64, 80)))
        path = folder / "music" / f"{seed}.mid"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(score.dumps_midi())
    flags = {"data": str(folder / "music"), "length": 96, "precision": "fp32", "no_hook": ["all"], "no_metric": ["all"]}
    config = resolve(None, flags, SMALL)
    session = Session(RunFolder.new(folder / "run", config), config)
    prepare_data(session)
    train(session)
    return folder / "run"


def test_draws_are_those_of_the_commands(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    library = Library(Path("studio"))
    library.open()
    jobs = Jobs(library, trained, str(trained))
    with Page(application(library, jobs, TOKEN, {HOST}), base_url=f"http://{HOST}") as page:
        page.get("/", params={"token": TOKEN})
        page.headers["X-Diffmidi-Token"] = TOKEN
        piece = page.upload()
        draws = [
            page.ask(piece, region=["bars 3-4, pitch C4-C6"], candidates=2, seed=5, steps=2),
            page.ask(piece, command="vary", region=[], strength=0.3, steps=2),
            page.ask(piece, command="continue", region=[], bars=1, steps=2),
            page.post("/api/pieces", json={"bars": 2, "steps": 2}).json()["draw"],
        ]
        for draw in draws:
            told = page.ended(draw)
            assert told["state"] == "done", told["error"]
            _, *words = shlex.split(told["command_line"])
            command(*words, "--name", "same", "--no-renderer", "all")
            made = next(trained.glob("draws/same")) if words[0] == "sample" else Path("draws/same")
            ours, theirs = DrawFolder(library.draws / draw), DrawFolder(made)
            assert [piece.tokens for piece in ours.pieces()] == [piece.tokens for piece in theirs.pieces()]
            assert ours.request().model == theirs.request().model
            for take in told["takes"]:
                file = f"{take.rpartition('.')[2]}.mid"
                assert page.get(f"/api/takes/{take}.mid").content == (made / file).read_bytes()
            made.rename(made.with_name(f"of-{draw}"))
        # A model that cannot do it says so, and draws the next.
        unknown = page.post("/api/pieces", json={"bars": 2, "want": {"key": "C major"}}).json()["draw"]
        assert "key" in page.ended(unknown)["error"]


def test_what_the_page_is_told_of_the_model(trained):
    from diffmidi_core.saved.manifest import read_model
    from diffmidi_core.studio.serve import told

    assert told("mine", read_model(trained)) == {"name": "mine", "process": "masked", "labels": {}}


def test_nothing_heavy_is_imported_before_a_draw_is_asked_for():
    program = "import sys, diffmidi_core.studio.serve, diffmidi_core.studio.worker; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
