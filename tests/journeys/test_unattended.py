"""A run that nobody looks after: what was shown to no one is kept, and who goes away is not waited for."""

import re
import shutil
from pathlib import Path

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
