"""--deterministic: torch's switches are on while training runs, and an operation that has no kernel is a sentence."""

import os

import pytest
import torch

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.machine.deterministic import CUBLAS, deterministic
from diffmidi_core.sections import TrainConfig
from diffmidi_core.train.telling import known_reason


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if name != CUBLAS})


def test_it_is_on_within_and_off_again():
    with deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark
        assert os.environ[CUBLAS] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()


def test_unasked_it_does_nothing():
    with deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()
    assert CUBLAS not in os.environ


def test_an_operation_without_a_kernel_is_told_in_one_sentence(tmp_path):
    with deterministic(True), pytest.raises(RuntimeError) as raised:
        torch.zeros(3).put_(torch.tensor([0]), torch.ones(1), accumulate=False)
    told = known_reason(raised.value, TrainConfig(deterministic=True), tmp_path, 1)
    assert isinstance(told, DiffmidiError)
    assert "no deterministic kernel for 'put_'" in str(told)
    assert "train.deterministic=false" in str(told)
    assert known_reason(raised.value, TrainConfig(), tmp_path, 1) is None


def test_cublas_in_use_without_a_fixed_workspace_is_told(tmp_path):
    """As torch says it: https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility."""
    error = RuntimeError(f"Deterministic behavior was enabled ... you must set {CUBLAS}=:4096:8 or {CUBLAS}=:16:8.")
    told = known_reason(error, TrainConfig(deterministic=True), tmp_path, 1)
    assert f"set {CUBLAS}=:4096:8 before Python starts" in str(told)
