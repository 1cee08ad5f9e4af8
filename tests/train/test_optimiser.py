"""The optimiser's settings, its learning rate over time and the moving average, against the original's numbers."""

import math
import re

import pytest
import torch
from torch import nn

from diffmidi_core.config import TrainConfig, resolve
from diffmidi_core.errors import UsageError
from diffmidi_core.train.optimiser import Ema, ema_decay, falls_from, learning_rate, make_optimiser


class Weights(nn.Module):
    def __init__(self, values):
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values, dtype=torch.float64))


def test_the_moving_average_is_the_originals(golden):
    block = golden["optimiser"]["ema"]
    model = Weights(block["start"])
    ema = Ema(model)
    for source, expected in zip(block["sources"], block["after_each"], strict=True):
        with torch.no_grad():
            model.values.copy_(torch.tensor(source))
        ema.update(model, 0.9999)
        golden.close(ema.average["values"], expected)


def test_without_warm_up_the_learning_rate_is_the_originals(golden):
    block = golden["optimiser"]["lr"]
    config = TrainConfig(lr=block["lr0"], iterations=block["lr_anneal_steps"], warmup=0)
    for step, rate in block["at"].items():
        assert learning_rate(int(step), config) == pytest.approx(rate, rel=1e-8)


def test_the_learning_rate_rises_then_falls_to_nothing():
    config = TrainConfig(lr=1.0, iterations=100, warmup=9)
    rates = [learning_rate(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates.index(max(rates)) == 9
    assert 0 < rates[-1] < 0.02
    assert learning_rate(50, TrainConfig(lr=1.0, iterations=100, anneal=False)) == 1.0


def test_the_rate_stays_and_falls_over_the_last_iterations_alone():
    config = TrainConfig(lr=1.0, iterations=10, warmup=1, decay=4)
    assert [learning_rate(step, config) for step in range(10)] == [0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
    assert falls_from(config) == 6
    assert falls_from(TrainConfig(iterations=10)) == 0
    assert falls_from(TrainConfig(iterations=10, anneal=False)) == math.inf


def test_weights_that_were_trained_before_need_no_warm_up():
    config = TrainConfig(lr=1.0, iterations=10, warmup=9, anneal=False)
    assert learning_rate(0, config) == pytest.approx(0.1)
    assert learning_rate(0, config, before=4) == pytest.approx(0.5)
    assert learning_rate(0, config, before=400) == 1.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"decay": 11, "iterations": 10}, "train.decay: it is more than all 10 iterations"),
        ({"decay": 3, "anneal": False}, "train.decay: without train.anneal the learning rate is not lowered at all"),
        ({"decay": -1}, "train.decay: input should be greater than or equal to 0"),
    ],
)
def test_a_decay_that_cannot_be_is_said(options, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        resolve(flags={f"train.{name}": value for name, value in options.items()})


def test_the_optimiser_is_the_originals_adamw(golden):
    block = golden["optimiser"]["adamw"]
    (group,) = make_optimiser(Weights([1.0]), TrainConfig()).param_groups
    assert list(group["betas"]) == block["betas"]
    assert (group["eps"], group["weight_decay"]) == (block["eps"], block["weight_decay"])


def test_the_decay_is_reached_by_a_ramp():
    assert ema_decay(0, 0.999) == pytest.approx(0.1)
    assert ema_decay(10**6, 0.999) == 0.999
    assert ema_decay(90, 0.0) == 0.0


def test_averaged_weights_are_lent_and_taken_back_even_after_a_failure():
    model = Weights([1.0, 2.0]).train()
    ema = Ema(model)
    with torch.no_grad():
        model.values.fill_(7.0)

    def inside():
        with ema.applied(model):
            assert model.values.tolist() == [1.0, 2.0]
            assert not model.training
            raise RuntimeError

    with pytest.raises(RuntimeError):
        inside()
    assert model.values.tolist() == [7.0, 7.0]
    assert model.training
