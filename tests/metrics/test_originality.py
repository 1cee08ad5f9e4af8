"""Originality: matches that were planted, and a search that agrees with looking everywhere."""

import gc

import numpy as np
import pytest

from diffmidi.api.metric import TrainingMusic
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.registry import find
from diffmidi_metrics.passages import Passages, events


def melody(seed, notes=40, choices=12):
    rng = np.random.default_rng(seed)
    onset = rng.choice([0.25, 0.5, 1.0], notes).cumsum()
    return [
        (float(at), 0.25, int(pitch)) for at, pitch in zip(onset, 50 + rng.integers(choices, size=notes), strict=True)
    ]


def moved(rows, beats=0.0, semitones=0):
    return [(onset + beats, length, pitch + semitones) for onset, length, pitch in rows]


def row(sample):
    return find("metric", "originality").build().measure(sample)


def test_a_planted_passage_is_found_in_any_key_and_at_any_time(sample, training):
    pieces = [melody(seed, choices=30) for seed in range(4)]
    stolen = moved(pieces[2][10:25], beats=20, semitones=-7)
    mine = sorted(melody(9, 20, choices=30) + stolen)
    assert row(sample(mine, training(*pieces))) == {"match": 15, "start": 20, "piece": 2, "note": 10}


def test_lengths_do_not_matter_but_pitches_and_gaps_do(sample, training):
    piece = melody(0)
    longer = [(onset, 2.0, pitch) for onset, _, pitch in piece]
    assert row(sample(longer, training(piece)))["match"] == 40
    late = [*piece[:30], *moved(piece[30:], beats=0.5)]
    assert row(sample(late, training(piece)))["match"] == 30
    wrong = [*piece[:12], *moved(piece[12:13], semitones=1), *piece[13:]]
    assert row(sample(wrong, training(piece)))["match"] == 27


def test_a_match_does_not_run_from_one_piece_into_the_next(sample, training):
    piece = melody(0)
    assert row(sample(piece, training(piece[:20], piece[20:])))["match"] == 20


def shared(query, pieces):
    """The longest common run, by trying every one."""
    said = [",".join(map(str, [*piece, ""])) for piece in pieces]
    best = 0
    for start in range(len(query)):
        while start + best < len(query):
            run = ",".join(map(str, [*query[start : start + best + 1], ""]))
            if not any(text.startswith(run) or f",{run}" in text for text in said):
                break
            best += 1
    return best


@pytest.mark.parametrize("choices", [2, 3, 12])
def test_the_search_agrees_with_looking_everywhere(sample, training, choices):
    rng = np.random.default_rng(choices)
    pieces = [melody(seed, int(rng.integers(1, 60)), choices) for seed in range(8)]
    passages = Passages(training(*pieces))
    every = [events(sample(piece).score).tolist() for piece in pieces]
    for seed in range(100, 120):
        query = events(sample(melody(seed, int(rng.integers(2, 40)), choices)).score)
        length, start, at = passages.longest(query)
        assert length == shared(query.tolist(), every)
        piece, note = passages.locate(at)
        assert every[piece][note : note + length] == query[start : start + length].tolist()


def test_repetition_without_end_is_sorted_too(sample, training):
    same = [(float(i), 1.0, 60) for i in range(300)]
    assert row(sample(same[:200], training(same, same)))["match"] == 200
    assert row(sample([*same, (300.0, 1.0, 60)], training(same)))["match"] == 300


def test_long_samples_are_searched_in_parts(sample, training, monkeypatch):
    piece = melody(0)
    whole = row(sample(moved(piece[5:30]), training(piece)))
    monkeypatch.setattr("diffmidi_metrics.passages.AT_ONCE", 50)
    assert row(sample(moved(piece[5:30]), training(piece))) == whole == {"match": 25, "start": 0, "piece": 0, "note": 5}


def test_the_index_is_kept_and_read_back_without_the_music(sample, training, tmp_path):
    pieces, mine = [melody(seed) for seed in range(5)], melody(9)
    music, asked = training(*pieces), []

    def keep(name, fill):
        folder = tmp_path / name
        if not folder.exists():
            folder.mkdir()
            asked.append(name)
            fill(folder)
        return folder

    first = row(sample(mine, TrainingMusic(music.names, music.read, keep=keep)))
    again = row(sample(mine, TrainingMusic(music.names, lambda number: 1 / 0, keep=keep)))
    assert again == first == row(sample(mine, music))
    assert asked == ["passages-1"]
    notes = sum(map(len, pieces))
    assert {path.name: path.stat().st_size for path in (tmp_path / "passages-1").iterdir()} == {
        "text.u2": 2 * notes,
        "order.i4": 4 * notes,
        "starts.i8": 8 * 6,
    }
    with (tmp_path / "passages-1" / "order.i4").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(DiffmidiError, match="is damaged: remove that folder"):
        row(sample(mine, TrainingMusic(music.names, music.read, keep=keep)))


def test_an_index_without_a_place_of_its_own_goes_with_the_music(training):
    music, folders = training(melody(0)), []
    music.kept("anything", lambda music, folder: folders.append(folder))
    assert folders[0].is_dir()
    del music
    gc.collect()
    assert not folders[0].exists()


def matches(*lengths):
    return [{"match": length, "start": 0, "piece": 0, "note": 0} for length in lengths]


def judged(mine, theirs):
    return find("metric", "originality").build().summarise(matches(*mine), matches(*theirs))


def test_the_percentile_is_among_what_held_out_pieces_have():
    found = judged([5, 9], [3, 5, 5, 8])
    assert found["match"].value == 7
    assert found["match"].reference == 5.25
    assert found["percentile"].value == pytest.approx(100 * ((1 + 2 / 2) / 4 + 1) / 2)
    assert found["copied"].value == 50
    same = judged([3, 5, 8], [8, 5, 3])
    assert same["percentile"].value == pytest.approx(50)
    assert same["copied"].value == 0
    assert same["percentile"].interval is None, "three samples say little of the spread"
    low, high = judged([3, 5, 8] * 4, [8, 5, 3])["percentile"].interval
    assert low < 50 < high


def test_copies_are_at_the_top(figure, sample, training):
    music = training(*(melody(seed) for seed in range(6)))
    heldout = [sample(melody(seed), music) for seed in range(20, 30)]
    copies = figure("originality", [sample(moved(melody(1), semitones=3), music)], heldout)
    assert (copies["percentile"].value, copies["copied"].value, copies["match"].value) == (100, 100, 40)


def test_nothing_to_compare_with_gives_no_figure(figure, sample, training):
    music = training(melody(0))
    assert figure("originality", [sample(melody(1))]) is None
    assert figure("originality", [sample([], music), sample(melody(1)[:1], music)]) is None
    assert set(figure("originality", [sample(melody(1), music), sample([], music)])) == {"match"}


def test_the_training_set_is_read_once_and_only_if_asked(sample, training):
    music, read = training(melody(0), melody(1)), []
    reading, music.read = music.read, lambda number: read.append(number) or reading(number)
    samples = [sample(melody(seed), music) for seed in (5, 6)]
    assert read == []
    for each in samples:
        row(each)
    assert read == [0, 1]
