"""DeepSpeed's ZeRO: two processes with half the optimiser's state each."""

import json
import shutil
from importlib.util import find_spec

import pytest

from .forked import MODEL, TRAIN, logged, newest, same, weights

pytestmark = pytest.mark.skipif(find_spec("deepspeed") is None, reason="pip install deepspeed to test it")

EVEN = ("--iterations", "6", "-o", "train.log_every=1", "-o", "backbone.dropout=0", "-o", "train.save_every=3")


@pytest.fixture(scope="module", params=[1, 2])
def zero(request):
    return {"ranks": 2, "zero": request.param}


@pytest.fixture(scope="module")
def halves(trained, zero):
    return trained(f"halves-{zero['zero']}", *EVEN, "--batch-size", "2", **zero)


def alike(found, expected):
    """Whether the weights, their averages and the optimiser's state are, up to rounding."""
    assert found.keys() == expected.keys(), "all of it is there"
    for name, value in expected.items():
        assert found[name].shape == value.shape
        atol = 1e-4 if name.endswith("/exp_avg") else 1e-8 if name.endswith("/exp_avg_sq") else 2e-4
        assert found[name].allclose(value, atol=atol, rtol=1e-2), name


def test_two_halves_take_the_steps_of_a_whole(trained, halves):
    whole = trained("whole", *EVEN, "--batch-size", "4")
    assert len(logged(whole)) == len(logged(halves)) > 6
    for line, other in zip(logged(whole), logged(halves), strict=True):
        assert other == pytest.approx(line, rel=1e-3), f"step {line['step']}"
    alike(weights(halves), weights(whole))


def test_passes_of_a_step_add_up(trained, zero, halves):
    passes = trained(f"passes-{zero['zero']}", *EVEN, "--batch-size", "1", "--accumulate", "2", **zero)
    for line, other in zip(logged(halves), logged(passes), strict=True):
        assert other == pytest.approx(line, rel=1e-3), f"step {line['step']}"
    alike(weights(passes), weights(halves))


def test_halves_stopped_and_resumed_are_the_same(starter, halves, zero):
    run = halves.parent / f"resumed-{zero['zero']}"
    shutil.copytree(halves, run)
    shutil.rmtree(run / "checkpoints" / "step-000006")
    starter.run("train", run.name, "--resume", folder=run.parent, **zero)
    assert newest(run) == 6
    assert same(weights(run), weights(halves))


def test_a_checkpoint_goes_on_with_deepspeed_and_without(trained, starter, halves, zero):
    whole = trained("whole", *EVEN, "--batch-size", "4")
    for origin, words, how in [(halves, ("--batch-size", "4"), {}), (whole, ("--batch-size", "2"), zero)]:
        run = halves.parent / f"{origin.name}-goes-on-{zero['zero']}"
        shutil.copytree(origin, run)
        shutil.rmtree(run / "checkpoints" / "step-000006")
        starter.run("train", run.name, "--resume", *words, folder=run.parent, **how)
        assert newest(run) == 6
        alike(weights(run), weights(origin))


def test_bf16_is_what_copies_on_each_process_compute(trained, zero):
    words = (*EVEN, "--batch-size", "2", "--precision", "bf16", "-o", "train.iterations=2")
    copies = trained("bf16-copies", *words, ranks=2)
    halves = trained(f"bf16-{zero['zero']}", *words, **zero)
    assert {value.dtype.itemsize for value in weights(halves).values()} == {4}, "weights and their state stay in fp32"
    for line, other in zip(logged(copies), logged(halves), strict=True):
        assert other == pytest.approx(line, rel=1e-3), f"step {line['step']}"
    assert json.loads((halves / "run.json").read_text())["precision"] == "bf16"


def test_a_step_that_is_not_finite_ends_all_with_one_sentence(starter, prepared, zero):
    run = prepared.parent / f"endless-{zero['zero']}"
    shutil.copytree(prepared, run)
    starter.start(
        "train", run.name, *MODEL, *TRAIN, *EVEN, "--batch-size", "2", "--lr", "1e30", folder=run.parent, **zero
    )
    assert starter.wait() == [1, 1]
    said = starter.log.read_text()
    assert said.count("is not a finite number at iteration 2, on piece") == 1
    assert "Traceback" not in said


def test_music_is_drawn_and_measured_by_both(starter, halves, zero):
    for command in (
        ("sample", "--samples", "2", "--steps", "3"),
        ("evaluate", "--no-metric", "all", "--metric", "bound_bpw"),
    ):
        starter.run(command[0], halves.name, *command[1:], folder=halves.parent, **zero)
    assert len(list((halves / "draws" / "1").glob("*.mid"))) == 2
