"""Signals: noted, or told in a sentence; one that is ignored stays so."""

import os
import signal

import pytest

from diffmidi_core.errors import StoppedError
from diffmidi_core.machine.stop import SIGNALS, Stop, interruptible


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_is_noted(number):
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with Stop() as stop:
            assert not stop.asked
            os.kill(os.getpid(), number)
            assert stop.asked
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="only Unix has SIGHUP")
def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.asked
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_what_is_done_is_said(number):
    before = signal.signal(number, signal.SIG_DFL)
    done = []

    def work():
        with interruptible(lambda: f"{len(done)} are done"):
            done.extend([1, 2])
            os.kill(os.getpid(), number)
            done.append(3)

    try:
        with pytest.raises(StoppedError, match="2 are done"):
            work()
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
