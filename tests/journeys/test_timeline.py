"""Music at 82 in 3/4 trains a model whose music is at 82 in 3/4."""

import json
from pathlib import Path

import pytest

from diffmidi import Pipeline, read_midi
from diffmidi.api.renderer import write_midi
from diffmidi_core.draw.length import bars, seconds
from diffmidi_core.publish.export import export
from diffmidi_core.saved.folder import RunFolder

from .conftest import ALIGNED, TRAINED, drawn

FEW = ("--steps", 3, "--samples", 2, "--render", "none")


@pytest.fixture
def slow(music, tmp_path):
    """The same pieces at 82 in 3/4."""
    folder = tmp_path / "slow"
    folder.mkdir()
    for path in music.iterdir():
        score = read_midi(path)
        score.tempos[0].qpm, score.time_signatures[0].numerator = 82, 3
        write_midi(score, folder / path.name)
    return folder


def played(score):
    signs = [(each.numerator, each.denominator) for each in score.time_signatures]
    return [round(each.qpm) for each in score.tempos], signs


def test_new_pieces_are_played_as_the_training_music_is(diffmidi, slow):
    assert diffmidi("prepare", slow, "--out", "mine", *ALIGNED).code == 0
    assert diffmidi("train", "mine", *TRAINED, "--process", "masked").code == 0
    (manifest,) = [json.loads(path.read_text()) for path in Path("mine/checkpoints").glob("*-000006/manifest.json")]
    assert manifest["typical"] == {"tempo": 82.0, "metre": [3, 4], "tracks": []}
    for flag, amount, times in (("--seconds", 20, seconds), ("--bars", 9, bars)):
        assert diffmidi("sample", "mine", flag, amount, *FEW).code == 0
        folder = sorted(Path("mine/draws").iterdir())[-1]
        scores = [read_midi(path) for path in sorted(folder.glob("*.mid"))]
        assert [played(score) for score in scores] == [([82], [(3, 4)])] * 2
        for score in scores:
            assert times(score).max() < amount
            # The notes end as near to it as one note more would be past it.
            assert times(score).max() > 0.8 * amount - 1 or any("short" in piece.record for piece in drawn("mine"))
    export(RunFolder.open(Path("mine")), Path("out"))
    for where in ("mine", "out"):
        assert played(Pipeline.from_pretrained(where, device="cpu").sample(1, steps=3)[0]) == ([82], [(3, 4)])
