"""A stream that breaks ends nothing: what is written to it goes nowhere, and that is told once."""

import os
import sys

import pytest

from diffmidi_core.machine.terminal import unbreakable


@pytest.fixture
def broken():
    """A pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as stream:
        yield stream


def test_what_cannot_be_written_is_told_of_once(broken, monkeypatch):
    gone = []
    monkeypatch.setattr(sys, "stderr", broken)
    with unbreakable(lambda: gone.append("gone")):
        print("one", file=sys.stderr)
        print("two", file=sys.stderr)
        sys.stderr.flush()
        assert gone == ["gone"]
        assert sys.stderr.encoding == broken.encoding
    assert sys.stderr is broken
    broken.write("nothing is left that would break as the program ends")
    broken.flush()


def test_who_keeps_one_for_later_tells_nobody(broken, monkeypatch):
    monkeypatch.setattr(sys, "stderr", broken)
    with unbreakable(lambda: pytest.fail("this is over")):
        kept = sys.stderr
    print("later", file=kept)


def test_a_stream_that_works_is_as_it_was(capsys):
    with unbreakable(lambda: pytest.fail("it is not gone")):
        print("here")
    assert capsys.readouterr().out == "here\n"
