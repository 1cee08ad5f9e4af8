"""Training on the device: precisions, resuming, compiling, and several ways to share a step out, against one plain run.

Everything is drawn on the device, so that all runs here hear and hide the same.
"""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from .conftest import MODEL, begun, done

pytestmark = pytest.mark.gpu
FSDP2 = Path(__file__).parents[2] / "examples" / "multi_gpu" / "fsdp2.yaml"
FP16 = pytest.param("fp16", marks=pytest.mark.gpu(alone=True))
TOLERANCE = 1e-3
MIXED = 5e-2


def losses(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def state(run):
    """Weights, averages and the optimiser's state at the last step."""
    folder = run / "checkpoints" / "step-000006"
    return {
        f"{path.name}/{name}": value for path in folder.glob("*.safetensors") for name, value in load_file(path).items()
    }


def facts(run):
    return json.loads((run / "run.json").read_text())


@pytest.fixture
def plain(trained):
    return trained("plain", "--precision", "fp32")


def test_it_trains_on_the_device(plain, device):
    assert str(facts(plain)["device"]).startswith(device.type)
    assert len(losses(plain)) == 6


@pytest.mark.parametrize("precision", ["bf16", FP16])
def test_mixed_precision_has_nearly_the_losses_of_fp32(trained, plain, precision):
    mixed = trained(precision, "--precision", precision)
    assert facts(mixed)["precision"] == precision
    assert losses(mixed) == pytest.approx(losses(plain), rel=MIXED)
    assert {value.dtype for value in state(mixed).values() if value.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("precision", ["fp32", "bf16", FP16])
def test_resumed_by_deterministic_kernels_it_is_the_same_to_the_bit(trained, precision):
    words = ("--precision", precision, "--deterministic")
    whole = trained(f"deterministic-{precision}", *words)
    resumed = trained(f"resumed-{precision}", copy_of=whole)
    one, other = state(whole), state(resumed)
    assert one.keys() == other.keys()
    assert all(value.equal(other[name]) for name, value in one.items())
    assert losses(whole) == losses(resumed)


@pytest.mark.gpu(alone=True)
def test_the_loss_scale_of_fp16_is_saved_and_gone_on_with(trained):
    whole = trained("deterministic-fp16", "--precision", "fp16", "--deterministic")
    resumed = trained("resumed-fp16", copy_of=whole)
    scalers = [
        json.loads((run / "checkpoints" / step / "manifest.json").read_text())["training"]["scaler"]
        for run, step in ((whole, "step-000003"), (whole, "step-000006"), (resumed, "step-000006"))
    ]
    assert all(scaler["scale"] > 0 for scaler in scalers)
    assert scalers[1] == scalers[2] != scalers[0], "it has counted the steps since"


def test_resumed_by_any_kernels_it_is_nearly_the_same(trained, plain):
    resumed = trained("resumed", copy_of=plain)
    assert losses(resumed) == pytest.approx(losses(plain), rel=TOLERANCE)


@pytest.mark.gpu(alone=True)
def test_compiled_it_has_the_same_losses(trained, plain):
    assert losses(trained("compiled", "--precision", "fp32", "--compile")) == pytest.approx(
        losses(plain), rel=TOLERANCE
    )


@pytest.mark.gpu(alone=True)
def test_sharded_over_one_it_has_the_same_losses(trained, plain):
    start = ("-m", "accelerate.commands.launch", "--config_file", FSDP2, "--num_processes", "1", "-m", "diffmidi_core")
    sharded = trained("sharded", "--precision", "fp32", start=start)
    assert losses(sharded) == pytest.approx(losses(plain), rel=TOLERANCE)
    assert state(sharded).keys() == state(plain).keys()


def test_two_ranks_on_one_card_take_the_steps_of_one(prepared, plain):
    run = prepared.parent / "two"
    shutil.copytree(prepared, run)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [Path(__file__).with_name("by_gloo.py"), "train", "two", *MODEL, "--precision", "fp32", "--batch-size", "2"]
    ranks = [
        begun(
            words,
            run.parent,
            **{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"},
            **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
        )
        for rank in range(2)
    ]
    said = [rank.communicate(timeout=300)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], "\n".join(said)
    assert losses(run) == pytest.approx(losses(plain), rel=TOLERANCE)


def test_what_was_trained_is_sampled_and_judged(plain):
    folder = plain.parent
    done(["-m", "diffmidi_core", "sample", plain.name, "--samples", "2", "--steps", "8", "--render", "none"], folder)
    done(["-m", "diffmidi_core", "evaluate", plain.name], folder)
    assert len(list((plain / "draws" / "1").glob("*.mid"))) == 2
