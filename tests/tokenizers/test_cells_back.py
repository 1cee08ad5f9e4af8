"""Layout `cells` of `mmm`: decoded again, tokens of music come back exactly, and any others give music all the same."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from diffmidi.api import RefusedError
from diffmidi.api.renderer import write_midi
from diffmidi.api.source import read_midi
from diffmidi_core.music.notes import notes_of
from diffmidi_core.music.toy import tune

from .in_bars import OPTIONS, cells, piece, with_tracks
from .scores import TOLD, TOYS, nasty


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_tokens_survive_decoding(options) -> None:
    tokenizer = cells(**options)
    scores = [*TOYS.values(), *(nasty(seed) for seed in range(120))]
    scores += [with_tracks(seed) for seed in range(60)]
    for score in scores:
        ids = tokenizer.encode(score)
        assert tokenizer.faults(ids) == 0
        assert np.array_equal(tokenizer.encode(tokenizer.decode(ids)), ids)


def test_tempi_and_names_of_the_timeline_are_exact() -> None:
    score = piece(
        ("Gesang", 53, [(0, 1, 60, 64), (4, 1, 62, 64), (8, 1, 64, 64)]),
        ("Klavier", 3, [(0, 4, 48, 64)]),
        tempi=((0, 118.5), (2, 121), (8, 63)),
    )
    tokenizer = cells()
    found = tokenizer.encode_piece(score)
    back = tokenizer.decode(found.ids, found.timeline)
    assert [(tempo.time, round(tempo.qpm, 2)) for tempo in back.tempos] == [(0, 118.5), (960, 121), (3840, 63)]
    assert [(track.name, track.program) for track in back.tracks] == [("Gesang", 53), ("Klavier", 3)]
    assert [(tempo.time, round(tempo.qpm)) for tempo in tokenizer.decode(found.ids).tempos] == [(0, 120), (3840, 63)]


def test_a_tempo_token_that_says_another_tempo_than_the_timeline_wins() -> None:
    tokenizer = cells()
    found = tokenizer.encode_piece(piece(("", 0, [(0, 1, 60, 64), (4, 1, 62, 64)]), tempi=((0, 118),)))
    ids = found.ids.copy()
    ids[tokenizer.starts(ids)[1] + 1] = tokenizer.to_ids(["q60"])[0]
    back = tokenizer.decode(ids, found.timeline)
    assert [(tempo.time, round(tempo.qpm)) for tempo in back.tempos] == [(0, 118), (1920, 60)]


def test_any_ids_decode_and_their_mistakes_are_counted() -> None:
    tokenizer = cells()
    random = np.random.default_rng(0)
    for _ in range(300):
        ids = random.integers(0, len(tokenizer.vocab), random.integers(0, 80)).astype(np.int32)
        tokenizer.encode(tokenizer.decode(ids))
        tokenizer.faults(ids)
    for said, faults in {
        "end4/4 q120 piano c1 t0 p60 v8 d12": 0,
        "end4/4 q120 piano c2 t0 p60 v8 d12": 1,  # fewer notes than its count
        "end4/4 q120 piano c1 t50 p60 v8 d12": 1,  # past the bar
        "end4/4 q120 piano c2 t30 p60 v8 d12 t30 p60 v8 d12": 1,
        "end4/4 q120 piano c0 end4/4 q120 piano c0": 1,  # two ends
        "bar4/4 q120 piano c0 up1/4 q120 piano c0": 1,
        "bar4/4 q120 right c0 and q= left c0 end4/4 q120 right c0": 1,  # a track is missing
        "and q= piano c0": 5,  # no bar opened it, so that none of the four may stand there, nor the piece end
    }.items():
        assert tokenizer.faults(tokenizer.to_ids(said.split())) == faults, said


def test_a_note_past_its_bar_begins_in_its_last_step() -> None:
    tokenizer = cells()
    ids = tokenizer.to_ids(
        [
            "bar2/4",
            "q120",
            "piano",
            "c1",
            "t90",
            "p60",
            "v8",
            "d12",
            "end2/4",
            "q120",
            "piano",
            "c1",
            "t0",
            "p62",
            "v8",
            "d12",
        ]
    )
    assert (notes_of(tokenizer.decode(ids)).onset * 12 // 480).tolist() == [23, 24]


@pytest.mark.parametrize("count", [8, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("folder", ["lieder", "corpus/asap", "corpus/nottingham", "corpus/pop909", "corpus/scarlatti"])
@pytest.mark.skipif(TOLD not in os.environ, reason=f"{TOLD} names no folder of test data")
def test_real_music_survives(folder, count: int, tmp_path: Path) -> None:
    files = sorted(Path(os.environ[TOLD], folder).rglob("*.mid*"))
    chosen = [files[int(each)] for each in np.linspace(0, len(files) - 1, count)]
    tokenizer = cells()
    for file in chosen:
        try:
            score = read_midi(file)
        except RefusedError:
            continue
        found = tokenizer.encode_piece(score)
        assert tokenizer.faults(found.ids) == 0
        write_midi(tokenizer.decode(found.ids, found.timeline), tmp_path / "back.mid")
        assert np.array_equal(tokenizer.encode(read_midi(tmp_path / "back.mid")), found.ids), file
        assert np.array_equal(tokenizer.encode(tokenizer.decode(found.ids)), found.ids), file


def test_transposed_and_louder() -> None:
    tokenizer = cells()
    ids = tokenizer.encode(tune())
    higher = tokenizer.transposition(2)[tokenizer.velocity_scaling(1.5)[ids]]
    one, two = notes_of(tokenizer.decode(ids)), notes_of(tokenizer.decode(higher))
    assert (two.pitch == one.pitch + 2).all()
    assert (two.velocity > one.velocity).all()
    assert two.onset.tolist() == one.onset.tolist()
