"""A rank that lives is waited for, and one that does not is given up, in a sentence."""

import itertools
import os
import time

import pytest

from diffmidi_core.data import heartbeat
from diffmidi_core.data.heartbeat import Watch, beating
from diffmidi_core.data.prepare import Choices, Running, prepare
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.hooks import Hooks

from .conftest import Scores, piece_of


def test_a_file_is_touched_as_long_as_the_block_lasts(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT", 0.001)
    file = tmp_path / "new" / "alive"
    with beating(file):
        while not file.exists():
            time.sleep(0.001)
        os.utime(file, (0, 0))
        while file.stat().st_mtime == 0:
            time.sleep(0.001)
    os.utime(file, (0, 0))
    time.sleep(0.01)
    assert file.stat().st_mtime == 0


@pytest.fixture
def minutes(monkeypatch):
    """A clock that goes on four minutes whenever it is looked at."""
    clock = itertools.count(0, 240)
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: float(next(clock)))


@pytest.mark.usefixtures("minutes")
def test_only_a_file_that_is_not_touched_any_more_is_given_up(tmp_path):
    file = tmp_path / "alive"
    watch = Watch(file)
    watch.check()
    for second in range(9):
        file.touch()
        os.utime(file, (second, second))
        watch.check()
    watch.check()
    watch.check()
    with pytest.raises(DiffmidiError, match="no sign of life for 10 minutes"):
        watch.check()


def test_a_rank_gives_up_where_the_first_one_never_comes(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(heartbeat, "PATIENCE", 0.01)
    scores = {f"piece {seed}": piece_of(seed) for seed in range(3)}
    with pytest.raises(DiffmidiError, match="start all ranks again"):
        prepare(
            Scores(scores),
            tokenizer,
            tmp_path / "data",
            Choices(heldout=0.3),
            hooks=Hooks(),
            running=Running(rank=1, ranks=2),
        )
    assert len(list(tmp_path.glob("data.partial/*/shard-*.arrow"))) == 1
