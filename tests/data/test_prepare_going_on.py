"""A preparation that is stopped, killed, or shared out ends in the same bytes as one that was left alone."""

import os
import subprocess
import sys
import time

import pytest

from diffmidi.api.renderer import write_midi
from diffmidi_core.data import working
from diffmidi_core.data.prepare import Choices, Running, prepare
from diffmidi_core.errors import DiffmidiError, StoppedError
from diffmidi_core.hooks import Hooks

from .conftest import Scores, piece_of

FILES = ("tokens.arrow", "split.csv", "data.json")

# Run as a program, so that it can be killed, be one of two ranks, and have workers that import it.
PROGRAM = """
import os, random, shutil, signal, sys, time
from functools import partial
from pathlib import Path
from diffmidi_core.config import resolve
from diffmidi_core.data import working
from diffmidi_core.data.prepare import Choices, Running, prepare
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.machine.session import Session
from diffmidi_core.run.stages import prepare_data
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.hooks import Hooks
from diffmidi_core.registry import find

working.SIZE = 3
FILES = ("tokens.arrow", "split.csv", "data.json")
music, out = sys.argv[2:4]


def make(slow=0.0, light=False):
    assert not (light and "torch" in sys.modules), "a worker imported torch"
    source = find("source", "folder").build(data=music)
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    read = source.read_counted
    source.read_counted = lambda piece: time.sleep(slow) or read(piece)
    return source, tokenizer


def prepared(folder, slow=0.0, **running):
    running = Running(**running)
    return prepare(*make(slow), Path(folder), Choices(heldout=0.3), hooks=Hooks(silent=True), running=running)


def bytes_of(folder):
    return [Path(folder, name).read_bytes() for name in FILES]


def kills():
    prepared(f"{out}/whole")
    draw, killed, went_on = random.Random(0), 0, 0
    while killed < 20:
        if not (child := os.fork()):
            prepared(f"{out}/killed", slow=0.003)
            os._exit(0)
        time.sleep(draw.uniform(0.01, 0.25))
        os.kill(child, signal.SIGKILL)
        killed += os.waitpid(child, 0)[1] != 0
        went_on += any(Path(out).glob("killed.partial/*/shard*"))
        if Path(out, "killed", "data.json").exists():
            assert bytes_of(f"{out}/killed") == bytes_of(f"{out}/whole")
            shutil.rmtree(f"{out}/killed")
    prepared(f"{out}/killed")
    assert bytes_of(f"{out}/killed") == bytes_of(f"{out}/whole")
    assert went_on
    assert sorted(os.listdir(out)) == ["killed", "whole"], os.listdir(out)


def workers():
    prepared(f"{out}/one")
    prepared(f"{out}/two", workers=2, make=partial(make, light=True))
    assert bytes_of(f"{out}/one") == bytes_of(f"{out}/two")


def automatic():
    working.os.sched_getaffinity = lambda _: {0, 1}
    read = []
    for starting, name, here in ((1e9, "alone", 26), (-1e9, "shared out", 3)):
        working.STARTING = starting
        source, tokenizer = make()
        well = source.read_counted
        source.read_counted = lambda piece: read.append(piece) or well(piece)
        running = Running(workers=0, make=make)
        prepare(source, tokenizer, Path(out, name), Choices(heldout=0.3), hooks=Hooks(silent=True), running=running)
        assert len(read) == here, (name, len(read))
        read.clear()
    assert bytes_of(f"{out}/alone") == bytes_of(f"{out}/shared out")


def rank():
    config = resolve({"hooks": [], "prepare": {"workers": 1, "heldout": 0.3}}, {"data": music})
    try:
        session = Session(RunFolder(Path(out)), config)
        session.hooks = Hooks(silent=True)
        prepare_data(session)
    except DiffmidiError as error:
        sys.exit(str(error))
    assert "torch" not in sys.modules


def failing_rank():
    number = int(os.environ["RANK"])
    source, tokenizer = make()
    well = source.read_counted

    def full(piece):
        raise DiffmidiError("the disk is full.")

    def patient(piece):
        Path(out).with_name("begun").touch()
        while not list(Path(out).parent.glob("**/failed/*.json")):
            time.sleep(0.05)
        return well(piece)

    source.read_counted = full if number else patient
    try:
        running = Running(rank=number, ranks=2)
        prepare(source, tokenizer, Path(out), Choices(heldout=0.3), hooks=Hooks(silent=True), running=running)
    except DiffmidiError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "program.py"
    path.write_text(PROGRAM)

    def start(what, music, out, **environment):
        # Python 3.12 warns where a process that has threads, such as pyarrow's, forks.
        return subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", str(path), what, str(music), str(out)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    for seed in range(24):
        write_midi(piece_of(seed, notes=20 + seed), folder / f"{seed:02d}.mid")
    (folder / "broken.mid").write_bytes(b"MThd")
    (folder / "copy.mid").write_bytes((folder / "03.mid").read_bytes())
    return folder


def said_by(process):
    """Its exit status, and what it said but for what is known of this music."""
    _, said = process.communicate(timeout=120)
    return process.returncode, "".join(
        line for line in said.splitlines(keepends=True) if not line.startswith("Warning: velocity is constant")
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_twenty_times_it_goes_on_to_the_same_bytes(program, music, tmp_path):
    assert said_by(program("kills", music, tmp_path)) == (0, "")


def test_workers_make_the_same_bytes_and_import_no_torch(program, music, tmp_path):
    assert said_by(program("workers", music, tmp_path)) == (0, "")


def test_left_alone_it_takes_more_processes_where_the_first_shard_says_that_they_pay(program, music, tmp_path):
    assert said_by(program("automatic", music, tmp_path)) == (0, "")


@pytest.mark.parametrize(
    ("shards", "seconds", "workers"),
    # A shard of mmm takes 0.4 s, one of MidiTok's 6 s; what starting them takes must be saved by the rest.
    [(0, 0.4, 1), (1, 60.0, 1), (4, 0.4, 1), (100, 0.4, 4), (8, 6.0, 4), (2, 6.0, 2), (2, 1.9, 1)],
)
def test_processes_are_started_where_they_save_time(monkeypatch, shards, seconds, workers):
    monkeypatch.setattr(working.os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert working.automatic_workers(shards, seconds) == workers
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert working.automatic_workers(shards, seconds) == 1


def test_two_ranks_make_the_same_bytes_and_import_no_torch(program, music, tmp_path):
    assert said_by(program("rank", music, tmp_path / "alone")) == (0, "")
    ranks = [program("rank", music, tmp_path / "both", RANK=str(rank), WORLD_SIZE="2") for rank in range(2)]
    assert [said_by(each) for each in ranks] == [(0, ""), (0, "")]
    for name in FILES:
        assert (tmp_path / "both/data" / name).read_bytes() == (tmp_path / "alone/data" / name).read_bytes()
    assert sorted(os.listdir(tmp_path / "both")) == [".lock", "data", "run.json"]


def test_a_rank_that_fails_is_heard_by_the_others(program, music, tmp_path):
    ranks = [program("failing_rank", music, tmp_path / "data", RANK="0")]
    while not (tmp_path / "begun").exists() and ranks[0].poll() is None:
        time.sleep(0.05)
    ranks.append(program("failing_rank", music, tmp_path / "data", RANK="1"))
    assert [said_by(each) for each in ranks] == [(1, "rank 1: the disk is full.\n"), (1, "the disk is full.\n")]


class Counting(Scores):
    read_so_far = ()

    def read(self, piece):
        self.read_so_far = (*self.read_so_far, piece.id)
        return super().read(piece)


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(working, "SIZE", 4)
    monkeypatch.setattr(working, "_CHECK_EVERY", 0.0)


def stopped_after(count, source, tokenizer, folder, heldout=0.3, hooks=None):
    running = Running(stop=lambda: len(source.read_so_far) >= count)
    with pytest.raises(StoppedError, match=f"Stopped at piece {count} of {len(source.scores)}; what is done is kept."):
        prepare(source, tokenizer, folder, Choices(heldout=heldout), hooks=hooks or Hooks(), running=running)


def test_what_was_done_when_it_was_stopped_is_not_done_again(tmp_path, tokenizer, small_shards):
    scores = {f"piece {seed}": piece_of(seed) for seed in range(10)}
    stopped_after(6, Counting(scores), tokenizer, tmp_path / "data")
    assert os.listdir(tmp_path) == ["data.partial"]
    source = Counting(scores)
    prepare(source, tokenizer, tmp_path / "data", Choices(heldout=0.3), hooks=Hooks(silent=True))
    assert source.read_so_far == tuple(f"piece {seed}" for seed in range(4, 10))
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize("change", ["pieces", "options", "stamps"])
def test_it_begins_anew_and_says_so_where_something_has_changed(tmp_path, tokenizer, small_shards, change):
    scores = {f"piece {seed}": piece_of(seed) for seed in range(10)}
    stopped_after(6, Counting(scores), tokenizer, tmp_path / "data")
    source, hooks = Counting(scores), Hooks()
    if change == "pieces":
        scores["another"] = piece_of(11)
    elif change == "stamps":
        source.stamp = lambda piece: "newer"
    heldout = 0.5 if change == "options" else 0.3
    prepare(source, tokenizer, tmp_path / "data", Choices(heldout=heldout), hooks=hooks)
    assert len(source.read_so_far) == len(scores)
    assert "it begins anew" in hooks.warnings[0]
    assert os.listdir(tmp_path) == ["data"]


def test_a_finished_preparation_is_left_as_it_is(tmp_path, tokenizer):
    scores = {f"piece {seed}": piece_of(seed) for seed in range(4)}
    first = prepare(Scores(scores), tokenizer, tmp_path / "data", Choices(heldout=0.3), hooks=Hooks(silent=True))
    before = (tmp_path / "data" / "tokens.arrow").stat().st_mtime_ns
    assert (
        prepare(Scores(scores), tokenizer, tmp_path / "data", Choices(heldout=0.3), hooks=Hooks(silent=True)) == first
    )
    assert (tmp_path / "data" / "tokens.arrow").stat().st_mtime_ns == before


def test_a_damaged_shard_is_named(tmp_path, tokenizer, small_shards):
    scores = {f"piece {seed}": piece_of(seed) for seed in range(10)}
    stopped_after(6, Counting(scores), tokenizer, tmp_path / "data")
    (shard,) = (tmp_path / "data.partial").glob("*/shard-000000.arrow")
    shard.write_bytes(shard.read_bytes()[:200])
    with pytest.raises(DiffmidiError, match=r"shard-000000.arrow is damaged: delete it"):
        prepare(Counting(scores), tokenizer, tmp_path / "data", Choices(heldout=0.3), hooks=Hooks(silent=True))
