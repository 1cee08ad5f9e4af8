"""A run that nobody looks after: what was shown to no one is kept, and who goes away is not waited for."""

import json
import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from diffmidi_core.saved.folder import RunFolder

from .conftest import TINY
from .forked import MODEL, TRAIN, newest, same, weights

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d  (.*)")


def log_of(run):
    """The lines of its run.log without their times."""
    lines = (run / "run.log").read_text().splitlines()
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches), lines
    return [match[1] for match in matches]


def test_a_pipe_that_nobody_reads_costs_nothing(starter, trained, prepared):
    words = ("--iterations", "20", "--batch-size", "2", "-o", "train.save_every=10")
    whole = trained("read", *words)
    run = prepared.parent / "unread"
    shutil.copytree(prepared, run)
    starter.start("train", run.name, *MODEL, *TRAIN, *words, folder=run.parent, unread=True)
    assert starter.wait() == [0]
    assert newest(run) == 20
    assert same(weights(run), weights(whole))
    log = log_of(run)
    assert log.count("Warning: nobody reads what is shown any more; this goes on.") == 1
    assert "iteration 20: saved in unread/checkpoints/step-000020" in log
    assert not any("nobody reads" in line for line in log_of(whole))


def test_every_run_keeps_what_was_said(diffmidi, music):
    said = diffmidi("run", "--data", music, "--out", "mine", *TINY, "--no-hook", "console")
    assert said.code == 0, said.err
    run = Path("mine")
    log = log_of(run)
    assert log[0].startswith("$ diffmidi run --data ")
    stages = [line.split()[0] for line in log if re.fullmatch(r"[a-z]+  (done|.* tokens)?|train", line)]
    assert stages == ["prepare", "prepare", "train", "train", "sample", "evaluate", "render", "report", "run"], log
    assert any(line.startswith("Warning: only 1 of the 12 pieces") for line in log), log
    assert any(re.match(r"iteration 3: at most \d+\.\d+ ± .* bits per token on held-out music", line) for line in log)
    assert any(line.startswith("bound_bpw  ") for line in log)
    assert diffmidi("train", run, "--resume", "--iterations", "5").code == 2
    assert log_of(run)[: len(log)] == log
    assert diffmidi("train", run, "--resume", "--iterations", "8").code == 0
    assert log_of(run)[: len(log)] == log
    assert "iteration 8: saved in mine/checkpoints/step-000008" in log_of(run)


def test_why_it_ended_is_kept(diffmidi, mine):
    (mine / "data" / "data.json").unlink()
    said = diffmidi("train", mine, "--resume", "--iterations", "8")
    assert said.code == 1
    assert log_of(mine)[-1] == said.err.splitlines()[-1]


def wait_for(path):
    given_up = time.monotonic() + 60
    while not list(path.parent.glob(path.name)) and time.monotonic() < given_up:
        time.sleep(0.001)


def survivors(starter, pids, killed):
    """Kill one of several processes; how the others left, and what they said. One that stays is killed too."""
    os.kill(pids[killed], signal.SIGKILL)
    others = [pid for number, pid in enumerate(pids) if number != killed]
    staying = threading.Timer(60, lambda: [os.kill(pid, signal.SIGKILL) for pid in others])
    staying.start()
    codes = starter.wait()
    staying.cancel()
    assert codes.pop(killed) == -signal.SIGKILL
    return codes, starter.log.read_text()


def sentence(rank):
    return (
        f"Error: rank {rank} was killed, perhaps for want of memory, and the others cannot go on without it. What is "
        "saved is kept: start all ranks again, with --resume RUN."
    )


@pytest.mark.parametrize("killed", [0, 1])
def test_who_trains_with_one_that_is_killed_says_so(starter, prepared, killed):
    words = ("--iterations", "100000", "--batch-size", "2", "-o", "train.save_every=5")
    run = prepared.parent / f"killed-{killed}"
    shutil.copytree(prepared, run)
    pids = starter.start("train", run.name, *MODEL, *TRAIN, *words, folder=run.parent, ranks=2)
    wait_for(run / "checkpoints" / "step-*")
    codes, said = survivors(starter, pids, killed)
    assert codes == [1]
    assert said.splitlines()[-1] == sentence(killed)
    assert "Traceback" not in said
    if killed:
        assert log_of(run)[-1] == sentence(killed)
    assert newest(run) >= 5


def test_who_waits_for_the_first_one_to_prepare_says_that_it_was_killed(starter, music, tmp_path):
    many = tmp_path / "many"
    for number in range(60):
        shutil.copytree(music, many / str(number))
    pids = starter.start("prepare", many, "--out", "run", folder=tmp_path, ranks=2)
    wait_for(tmp_path / "run" / "data.partial" / "*")
    codes, said = survivors(starter, pids, 0)
    assert codes == [1]
    assert said.splitlines()[-1] == sentence(0)
    starter.run("prepare", many, "--out", "run", folder=tmp_path, ranks=2)


@pytest.mark.parametrize("ranks", [1, 2])
def test_minutes_are_planned_once_and_the_run_is_that_of_as_many_iterations(starter, trained, prepared, ranks):
    words = ("--batch-size", "2", "-o", "train.save_every=20")
    run = prepared.parent / f"minutes-{ranks}"
    shutil.copytree(prepared, run)
    begin = ("train", run.name, *MODEL, *TRAIN, *words, "--minutes", "0.05")
    if ranks == 1:
        starter.killed(*begin, folder=run.parent, when=lambda: newest(run), within=0)
        starter.run("train", run.name, "--resume", folder=run.parent)
    else:
        starter.run(*begin, folder=run.parent, ranks=ranks)
    segments = json.loads((run / "run.json").read_text())["segments"]
    (plan,) = [segment["plan"] for segment in segments if "plan" in segment]
    assert newest(run) == plan["iterations"]
    assert same(weights(run), weights(trained(f"counted-{ranks}", *words, "--iterations", newest(run), ranks=ranks)))


def test_the_first_music_is_named_on_the_screen_and_not_taken_for_what_was_asked(diffmidi, music):
    heard = diffmidi("run", "--data", music, "--out", "new", *TINY, "-o", "train.draw=2").err
    assert "iteration 3: to hear what it plays by now, open new/draws/step-3/001.wav" in heard
    assert {path.name for path in Path("new/draws/step-3").iterdir()} >= {"001.mid", "002.mid", "001.wav"}
    assert RunFolder.open(Path("new")).draw().path.name == "1"
