"""Killed, stopped and shared out: whatever happens to the processes of a training, the weights are the same."""

import os
import random
import shutil
import signal
import time

import pytest

from .forked import MODEL, TRAIN, logged, newest, same, weights


@pytest.mark.parametrize("kills", [8, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_again_and_again_it_ends_with_the_same_weights(starter, trained, prepared, kills):
    """Half of the times at any moment, half while a checkpoint is being written; from the first steps to the last."""
    words = (*MODEL, *TRAIN, "--iterations", "60", "--batch-size", "2", "-o", "train.save_every=1")
    whole = trained("whole", *words)
    run = prepared.parent / f"killed-{kills}"
    shutil.copytree(prepared, run)
    chance, at = random.Random(0), []
    for number in range(kills):
        aim = max(newest(run) + 1, 38 * number // (kills - 1))

        def there(aim=aim):
            return newest(run) >= aim

        def writing(aim=aim):
            return there(aim - 1) and any((run / "checkpoints").glob(".writing-*"))

        when, within = (there, 0.03) if number % 2 else (writing, 0.005)
        within = chance.uniform(0, within)
        assert starter.killed("train", run.name, "--resume", *words, folder=run.parent, when=when, within=within)
        at.append(newest(run))
    assert at == sorted(at)
    assert at[0] < 20 < 38 <= at[-1] < 60, "killed all along the training"
    starter.run("train", run.name, "--resume", *words, folder=run.parent)
    assert newest(run) == 60
    assert same(weights(run), weights(whole))
    assert [path.name for path in (run / "checkpoints").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(("batch_size", "accumulate"), [(2, 1), (1, 2)])
def test_two_processes_take_the_steps_of_one(trained, batch_size, accumulate):
    even = ("--iterations", "6", "-o", "train.log_every=1", "-o", "backbone.dropout=0", "-o", "train.save_every=6")
    one = trained("alone", *even, "--batch-size", "4")
    two = trained(f"together-{batch_size}", *even, "--batch-size", batch_size, "--accumulate", accumulate, ranks=2)
    assert len(logged(one)) == len(logged(two)) > 6
    for line, other in zip(logged(one), logged(two), strict=True):
        assert other == pytest.approx(line, rel=1e-3), f"step {line['step']}"
    found, expected = weights(two), weights(one)
    for name, value in expected.items():
        if name.startswith("model."):
            assert found[name].allclose(value, atol=2e-4, rtol=1e-3), name


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_signal_to_any_process_stops_all_and_resuming_is_exact(starter, trained, prepared, ranks, number):
    words = ("--iterations", "100", "--batch-size", "2", "-o", "train.save_every=100")
    whole = trained(f"whole-{ranks}", *words, ranks=ranks)
    run = prepared.parent / f"stopped-{ranks}-{number.name}"
    shutil.copytree(prepared, run)
    pids = starter.start("train", run.name, *MODEL, *TRAIN, *words, folder=run.parent, ranks=ranks)
    log, given_up = run / "metrics.jsonl", time.monotonic() + 60
    while not (log.exists() and '"loss"' in log.read_text()) and time.monotonic() < given_up:
        time.sleep(0.005)
    os.kill(pids[-1], number)
    assert starter.wait() == [130] * ranks, starter.log.read_text()
    said = starter.log.read_text()
    assert f"Stopped at iteration {newest(run)} of 100; everything is saved. Go on with: diffmidi run --resume" in said
    assert said.count("Stopped") == 1, "only the main process speaks"
    assert "Traceback" not in said
    assert 5 <= newest(run) < 100
    starter.run("train", run.name, "--resume", folder=run.parent, ranks=ranks)
    assert same(weights(run), weights(whole))
