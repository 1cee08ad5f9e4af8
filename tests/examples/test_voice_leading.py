"""examples/voice-leading: rules and a metric of another package, by what `diffmidi.api` offers alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from diffmidi.api.metric import Sample
from diffmidi.api.source import Piece
from diffmidi_core.registry import find, offers
from diffmidi_core.testing.component import checks_for, failures

from .conftest import EXAMPLES

OWN = EXAMPLES / "voice-leading" / "tests"
PARTS = [("control", "voice_leading"), ("control", "leading_tone"), ("metric", "voice_leading")]


@pytest.fixture(autouse=True)
def installed(install_example):
    return install_example("voice-leading")


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_it_passes_every_check(kind, name):
    assert [each.origin for each in offers(kind) if each.name == name] == ["diffmidi-voice-leading 0.1.0"]
    told = list(failures(find(kind, name)))
    assert len(told) == len(checks_for(kind))
    assert [(check, str(error)) for check, error in told if error is not None] == []


def test_its_own_tests_pass(installed, tmp_path):
    """Those of its rules; its conformance is tested above, and a run of the template's elsewhere."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    files = [OWN / f"test_{name}.py" for name in ("rules", "control", "metric")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]


def test_bach_has_few_faults_and_many_more_where_voices_are_exchanged():
    pytest.importorskip("music21")
    source = find("source", "chorales").build({"parts": True}, data=None)
    metric = find("metric", "voice_leading").build()
    score = source.read(Piece("bwv253"))
    exchanged = score.copy()
    exchanged.tracks = exchanged.tracks[::-1]
    bach, other = (
        metric.summarise([metric.measure(Sample.of_music(each))])["all"].value for each in (score, exchanged)
    )
    assert bach < 30
    assert other > 10 * bach
