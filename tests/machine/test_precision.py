"""`--precision auto` takes bf16 only where this machine gains by it."""

import pytest
import torch

from diffmidi_core.errors import UsageError
from diffmidi_core.machine import precision
from diffmidi_core.machine import precision as precision_of
from diffmidi_core.machine.session import Surroundings


@pytest.mark.parametrize(("fp32", "bf16", "chosen"), [(2.0, 1.0, "bf16"), (1.2, 1.0, "fp32"), (1.0, 5.0, "fp32")])
def test_a_cpu_is_judged_by_how_fast_it_multiplies(monkeypatch, fp32, bf16, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    monkeypatch.setattr(precision, "_multiplies_in_bf16", lambda: True)
    seconds = {torch.float32: fp32, torch.bfloat16: bf16}
    monkeypatch.setattr(precision, "_matmul_seconds", lambda dtype, **_: seconds[dtype])
    assert precision.resolve_precision("auto") == chosen


@pytest.mark.parametrize(
    ("says", "timed"),
    [
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}, False),
        ({"architecture": "x86_64", "avx512_bf16": True}, True),
        ({"architecture": "aarch64"}, True),
        ({}, True),
    ],
)
def test_a_cpu_that_can_only_emulate_bf16_is_not_timed(monkeypatch, says, timed):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: says)
    asked = []
    monkeypatch.setattr(precision, "_matmul_seconds", lambda dtype, **_: asked.append(dtype) or 1.0)
    assert precision.resolve_precision("auto") == "fp32"
    assert asked == ([torch.float32, torch.bfloat16] if timed else [])


def test_a_product_that_takes_too_long_is_the_last(monkeypatch):
    clock = iter([0.0, 1.0, 1.0, 6.0, 6.0, 7.0])
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(clock))
    assert precision._matmul_seconds(torch.float32, size=2, hopeless=4.0) == 1.0
    assert next(clock) == 6.0


@pytest.mark.parametrize("asked", ["fp32", "bf16", "fp16"])
def test_what_is_asked_is_taken(asked, monkeypatch):
    monkeypatch.setattr(precision, "on_cpu", lambda: False)
    assert precision.resolve_precision(asked) == asked


@pytest.mark.parametrize(("asked", "launched"), [("fp16", "no"), ("auto", "fp16")])
def test_a_cpu_refuses_fp16(asked, launched, monkeypatch):
    monkeypatch.setattr(precision, "on_cpu", lambda: True)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", launched)
    with pytest.raises(UsageError, match="fp16 needs a GPU"):
        precision.resolve_precision(asked)


def test_accelerate_launch_decides_where_nothing_else_is_asked(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert precision.resolve_precision("auto") == "bf16"
    assert precision.resolve_precision("fp32") == "fp32"


@pytest.mark.parametrize(
    ("precision", "fp32", "bf16", "warned"),
    [("bf16", 1.0, 5.0, True), ("bf16", 2.0, 1.0, False), ("fp32", 1.0, 5.0, False)],
)
def test_bf16_that_is_emulated_is_warned_of(monkeypatch, precision, fp32, bf16, warned):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(precision_of, "on_cpu", lambda: True)
    monkeypatch.setattr(precision_of, "_matmul_seconds", {torch.float32: fp32, torch.bfloat16: bf16}.__getitem__)
    assert (precision_of.emulated(precision) is not None) == warned


def test_what_works_in_it_says_so_once(monkeypatch, capsys):
    monkeypatch.setattr(precision_of, "emulated", lambda precision: f"{precision} is emulated.")
    work = Surroundings(precision="bf16")
    assert (work.precision, work.precision) == ("bf16", "bf16")
    assert capsys.readouterr().err == "Warning: bf16 is emulated.\n"
