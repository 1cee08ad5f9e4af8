"""FSDP2, as examples/multi_gpu/fsdp2.yaml asks for it: two processes with half a model each."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from .forked import logged, newest, same, weights

EXAMPLE = Path(__file__).parents[2] / "examples" / "multi_gpu" / "fsdp2.yaml"
SETTINGS = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["fsdp_config"]
SHARDED = {"ranks": 2, "sharded": SETTINGS}
EVEN = ("--iterations", "6", "-o", "train.log_every=1", "-o", "backbone.dropout=0", "-o", "train.save_every=3")


@pytest.fixture(scope="module")
def halves(trained):
    return trained("halves", *EVEN, "--batch-size", "2", **SHARDED)


def test_two_halves_take_the_steps_of_a_whole(trained, halves):
    whole = trained("whole", *EVEN, "--batch-size", "4")
    assert len(logged(whole)) == len(logged(halves)) > 6
    for line, other in zip(logged(whole), logged(halves), strict=True):
        assert other == pytest.approx(line, rel=1e-3), f"step {line['step']}"
    found, expected = weights(halves), weights(whole)
    assert found.keys() == expected.keys(), "weights, averages and the optimiser's state are there, whole"
    for name, value in expected.items():
        assert found[name].shape == value.shape
        if name.startswith(("model.", "ema.")):
            assert found[name].allclose(value, atol=2e-4, rtol=1e-3), name


def test_weights_kept_for_the_backward_pass_are_the_same(trained, halves):
    kept = {**SETTINGS, "fsdp_reshard_after_forward": False}  # what ZeRO 2 shares out
    assert same(weights(trained("kept", *EVEN, "--batch-size", "2", ranks=2, sharded=kept)), weights(halves))


def test_halves_stopped_and_resumed_are_the_same(starter, halves):
    run = halves.parent / "resumed"
    shutil.copytree(halves, run)
    shutil.rmtree(run / "checkpoints" / "step-000006")
    starter.run("train", run.name, "--resume", folder=run.parent, **SHARDED)
    assert newest(run) == 6
    assert same(weights(run), weights(halves))


def test_what_halves_learned_goes_on_whole_and_is_sampled_by_both(starter, halves):
    run = halves.parent / "whole-again"
    shutil.copytree(halves, run)
    shutil.rmtree(run / "checkpoints" / "step-000006")
    starter.run("train", run.name, "--resume", "--batch-size", "4", folder=run.parent)
    found, expected = weights(run), weights(halves)
    assert all(
        found[name].allclose(expected[name], atol=2e-4, rtol=1e-3) for name in found if name.startswith("model.")
    )
    starter.run("sample", run.name, "--samples", "2", "--steps", "3", folder=run.parent, **SHARDED)
    assert len(list((run / "draws" / "1").glob("*.mid"))) == 2


def test_bf16_halves_compute_what_bf16_copies_do(trained):
    words = (*EVEN, "--batch-size", "2", "--precision", "bf16", "-o", "train.iterations=2")
    as_accelerate_asks = {**SETTINGS, "fsdp_cpu_ram_efficient_loading": True}  # the default of `accelerate config`
    copies = trained("bf16-copies", *words, ranks=2)
    halves = trained("bf16-halves", *words, ranks=2, sharded=as_accelerate_asks)
    assert {value.dtype.itemsize for value in weights(halves).values()} == {4}, "weights and their state stay in fp32"
    for line, other in zip(logged(copies), logged(halves), strict=True):
        assert other == pytest.approx(line, rel=1e-3), f"step {line['step']}"
    assert json.loads((halves / "run.json").read_text())["precision"] == "bf16"


def test_halves_are_heard_while_they_train(starter, prepared):
    run = prepared.parent / "heard"
    shutil.copytree(prepared, run)
    words = ("--length", "16", "--batch-size", "2", "--iterations", "3", "-o", "train.evaluate_every=2")
    small = ("--precision", "fp32", "-o", "backbone.size=tiny", "-o", "train.warmup=0")
    starter.run("train", run.name, *words, *small, folder=run.parent, **SHARDED)
    assert len(list((run / "draws" / "step-2").glob("*.mid"))) == 2, starter.log.read_text()
