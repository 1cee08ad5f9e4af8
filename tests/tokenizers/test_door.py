"""`remi` and `miditok`: MidiTok's words, and back again exactly."""

from __future__ import annotations

import json
import os
from pathlib import Path

import miditok
import numpy as np
import pytest
from symusic.core import TimeSignatureTick

from diffmidi.api import RefusedError
from diffmidi.api.renderer import write_midi
from diffmidi.api.source import read_midi
from diffmidi.api.tokenizer import Score, Tokenizer, notes_of, score_of
from diffmidi_core.errors import UsageError
from diffmidi_core.music.notes import Notes
from diffmidi_core.music.toy import from_rows, toy_scores, tune
from diffmidi_core.registry import find

TOLD = "DIFFMIDI_TEST_DATA"
TYPES = ("REMI", "TSD", "MIDILike", "Structured", "MMM", "PerTok", "BEAT")
SIGNATURES = [(1, 4), (3, 4), (4, 4), (3, 8), (6, 8), (9, 8), (2, 2), (5, 8), (2, 4), (7, 16)]


def remi(**options) -> Tokenizer:
    return find("tokenizer", "remi").build(options)


def door(**options) -> Tokenizer:
    return find("tokenizer", "miditok").build(options)


def words(tokenizer: Tokenizer, score: Score) -> str:
    return " ".join(tokenizer.to_tokens(tokenizer.encode(score)))


def ids_of(tokenizer: Tokenizer, text: str) -> np.ndarray:
    return tokenizer.to_ids(text.split())


def rows(score: Score) -> list[tuple[float, float, int]]:
    notes, quarter = notes_of(score), score.ticks_per_quarter
    return list(zip(notes.onset / quarter, notes.duration / quarter, notes.pitch.tolist(), strict=True))


def nasty(seed: int) -> Score:
    """Random notes and random metres: off the grid or late against it, overlapping, out of range, far apart."""
    random = np.random.default_rng(seed)
    count, resolution = int(random.integers(1, 100)), int(random.choice([1, 24, 96, 220, 480, 1024]))
    spread = resolution * int(random.choice([4, 60, 4000]))
    onset = random.integers(0, spread, count)
    if seed % 3:
        step = max(1, resolution // (4 if seed % 2 else 12))
        onset = onset // step * step + resolution // 7
    duration = random.integers(0, 12 * resolution + 1, count)
    notes = Notes(onset, duration, random.integers(18, 112, count), random.integers(1, 128, count))
    score = score_of(notes, resolution)
    score.time_signatures.clear()
    for time in np.sort(random.integers(0, spread, random.integers(0, 6))).tolist():
        score.time_signatures.append(TimeSignatureTick(time, *SIGNATURES[random.integers(0, 9 + (seed % 5 == 0))]))
    return score


def expect_exact(tokenizer: Tokenizer, score: Score) -> None:
    ids = tokenizer.encode(score)
    decoded = tokenizer.decode(ids)
    assert np.array_equal(tokenizer.encode(decoded), ids)
    assert tokenizer.count_notes(ids) == len(notes_of(decoded))
    assert tokenizer.faults(ids) == 0
    cuts = [*tokenizer.starts(ids).tolist(), len(ids)]
    assert all(tokenizer.faults(ids[start:end]) == 0 for start, end in zip(cuts, cuts[3:], strict=False))


# --- the words ---


def test_the_words_of_a_short_tune():
    score = from_rows([(3, 1, 60, 1), (4, 0.5, 64, 127), (4, 2, 67, 64)])
    assert words(remi(), score) == (
        "Bar_None TimeSig_4/4 Position_24 Pitch_60 Velocity_3 Duration_1.0.8 "
        "Bar_None TimeSig_4/4 Position_0 Pitch_64 Velocity_127 Duration_0.4.8 Pitch_67 Velocity_63 Duration_2.0.8"
    )
    assert words(door(type="TSD"), score) == (
        "TimeShift_3.0.8 Pitch_60 Velocity_3 Duration_1.0.8 TimeShift_1.0.8 "
        "Pitch_64 Velocity_127 Duration_0.4.8 Pitch_67 Velocity_63 Duration_2.0.8"
    )


def test_remi_writes_what_miditok_writes():
    """On a score that is on the grid already, MidiTok's own way through its preprocessing gives the same words."""
    theirs = miditok.REMI(miditok.TokenizerConfig(time_signature_range={4: [3, 4], 8: [6]}))
    for name in ("tune", "chords", "overlaps", "triplets"):
        ids = remi().encode(toy_scores()[name])
        assert remi().to_tokens(ids) == theirs.encode(remi().decode(ids))[0].tokens, name


def test_the_vocabulary_is_the_specials_and_miditoks_tokens():
    vocab = remi().vocab
    assert vocab[:5] == ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "Bar_None")
    assert [word for word in vocab if word.startswith("Pitch")] == [f"Pitch_{pitch}" for pitch in range(21, 109)]
    assert "TimeSig_4/4" in vocab
    assert not any(word.startswith("TimeSig") for word in remi(use_time_signatures=False).vocab)
    assert not any(word.startswith("Velocity") for word in remi(use_velocities=False).vocab)


# --- there and back ---


def with_empty_bars(seed: int) -> Score:
    """Twelve bars of random metres, two in five of them empty, but not the first."""
    random = np.random.default_rng(seed)
    begin, signs, found = 0.0, [], []
    for bar in range(12):
        numerator, denominator = (4, 4) if bar == 0 else SIGNATURES[random.choice([0, 1, 2, 3, 4, 8])]
        signs.append(TimeSignatureTick(int(480 * begin), numerator, denominator))
        length = 4 * numerator / denominator
        if bar == 0 or random.random() < 0.6:
            found += [(begin + at, 0.5, 60 + 2 * (bar % 5), 80) for at in np.arange(0, length, 0.5)]
        begin += length
    score = from_rows(found)
    score.time_signatures.clear()
    for sign in signs:
        score.time_signatures.append(sign)
    return score


@pytest.mark.parametrize(
    "options", [{"type": "REMI"}, {"type": "REMI", "use_rests": True}, {"type": "MMM"}, {"type": "BEAT"}]
)
def test_what_follows_an_empty_bar_is_in_time(options):
    for seed in range(8):
        score = with_empty_bars(seed)
        expect_exact(door(**options), score)
        back = door(**options).decode(door(**options).encode(score))
        assert [each[0] for each in rows(back)] == [each[0] for each in rows(score)], seed


@pytest.mark.parametrize("options", [{}, {"use_rests": True, "use_chords": True}, {"beat_res": {"0_4": 12, "4_8": 3}}])
@pytest.mark.parametrize("kind", TYPES[:4])
def test_words_survive_decoding_whatever_is_thrown_at_them(kind, options):
    tokenizer = door(type=kind, **options)
    for seed in range(20):
        expect_exact(tokenizer, nasty(seed))


def test_words_survive_a_midi_file(tmp_path):
    tokenizer = remi()
    for name, score in toy_scores().items():
        ids = tokenizer.encode(score)
        if len(ids):
            write_midi(tokenizer.decode(ids), tmp_path / "piece.mid")
            assert np.array_equal(tokenizer.encode(read_midi(tmp_path / "piece.mid")), ids), name


def test_a_change_of_metre_comes_back():
    score = from_rows([(beat / 2, 0.5, 60 + beat % 7, 80) for beat in range(24)])
    score.time_signatures.clear()
    score.time_signatures.append(TimeSignatureTick(0, 3, 4))
    score.time_signatures.append(TimeSignatureTick(6 * 480, 6, 8))
    tokenizer = remi()
    ids, changed = tokenizer.encode_counted(score)
    decoded = tokenizer.decode(ids)
    assert not changed
    assert rows(decoded) == rows(score)
    signs = [(s.time / decoded.ticks_per_quarter, s.numerator, s.denominator) for s in decoded.time_signatures]
    assert signs == [(0, 3, 4), (6, 6, 8)]


def test_a_bar_of_one_beat_is_written_in_four_four_and_said():
    score = tune()
    score.time_signatures.clear()
    score.time_signatures.append(TimeSignatureTick(0, 1, 4))
    tokenizer = remi()
    ids, changed = tokenizer.encode_counted(score)
    assert changed == {"metre_replaced": 1}
    assert np.array_equal(ids, tokenizer.encode(tune()))
    # Words without bars lose nothing by it.
    assert not door(type="TSD").encode_counted(score)[1]


def test_no_ticks_in_a_quarter_is_refused():
    score = tune()
    score.ticks_per_quarter = 0
    with pytest.raises(RefusedError, match="no ticks"):
        remi().encode(score)


def test_a_piece_that_miditok_cannot_write_is_refused(monkeypatch: pytest.MonkeyPatch):
    def broken(*_, **__):
        raise IndexError("list index out of range")

    monkeypatch.setattr(miditok.REMI, "encode", broken)
    with pytest.raises(RefusedError, match="MidiTok cannot write this piece") as refused:
        remi().encode(tune())
    assert refused.value.reason == "no_words"


@pytest.mark.skipif(TOLD not in os.environ, reason=f"the corpus is found through {TOLD}")
def test_words_survive_decoding_on_real_music():
    tokenizer, replaced = remi(), {}
    for source in ("asap", "nottingham", "pop909", "scarlatti"):
        paths = sorted(Path(os.environ[TOLD], "corpus", source).rglob("*.mid"))
        paths = paths[:: max(1, len(paths) // 12)][:12]
        for path in paths:
            expect_exact(tokenizer, read_midi(path))
        changed = [tokenizer.encode_counted(read_midi(path))[1] for path in paths]
        replaced[source] = sum(each.get("metre_replaced", 0) for each in changed) / len(paths)
    assert replaced["nottingham"] == replaced["scarlatti"] == 0
    assert replaced["pop909"] > 0.5


# --- junk ---


def test_a_word_where_it_may_not_stand_is_passed_over():
    tokenizer = remi()
    said = "Pitch_60 Bar_None TimeSig_4/4 Velocity_63 Position_8 Pitch_60 Velocity_63 Bar_None Duration_1.0.8 Pitch_62"
    ids = ids_of(tokenizer, said)
    assert rows(tokenizer.decode(ids)) == [(1, 1, 60)]
    assert tokenizer.count_notes(ids) == 1
    assert tokenizer.faults(ids) == 4, "three words out of place, and an end inside a note"


def test_random_words_decode_and_what_they_decode_to_is_exact():
    for tokenizer in (remi(), *(door(type=kind) for kind in TYPES)):
        random = np.random.default_rng(0)
        for _ in range(50):
            ids = random.integers(0, len(tokenizer.vocab), 200, dtype=np.int32)
            expect_exact(tokenizer, tokenizer.decode(ids))


# --- windows ---


def test_windows_begin_at_bars_and_at_positions_inside_them():
    tokenizer = remi()
    ids = tokenizer.encode(tune())
    begun = {tokenizer.vocab[ids[start]] for start in tokenizer.starts(ids)}
    assert begun == {"Bar_None", *(f"Position_{8 * beat}" for beat in (1, 2, 3)), "Position_12"}


def test_a_window_from_inside_a_bar_is_read_in_the_metre_it_names():
    score = from_rows([(beat, 1, 60 + beat, 80) for beat in range(12)])
    score.time_signatures.clear()
    score.time_signatures.append(TimeSignatureTick(0, 3, 4))
    tokenizer = remi()
    ids = tokenizer.encode(score)
    second = tokenizer.starts(ids)[1]
    assert tokenizer.vocab[ids[second]] == "Position_8"
    assert rows(tokenizer.decode(ids[second:])) == rows(score)[1:]


# --- opened from a file ---


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Path:
    """A REMI with BPE, trained on the toys and saved by MidiTok."""
    folder = tmp_path_factory.mktemp("learned")
    for name, score in toy_scores().items():
        if name in ("tune", "scale", "chords", "triplets"):
            write_midi(score, folder / f"{name}.mid")
    tokenizer = miditok.REMI(miditok.TokenizerConfig(num_velocities=8))
    tokenizer.train(vocab_size=len(tokenizer) + 30, model="BPE", files_paths=sorted(folder.glob("*.mid")))
    tokenizer.save(folder / "tokenizer.json")
    return folder / "tokenizer.json"


def test_learned_words_are_tokens_joined_and_shorten_what_they_learned(learned):
    tokenizer, plain = door(pretrained=str(learned)), remi(num_velocities=8)
    ids = tokenizer.encode(tune())
    assert any("+" in word for word in tokenizer.to_tokens(ids))
    assert len(ids) < len(plain.encode(tune()))
    for score in (*toy_scores().values(), *map(nasty, range(10))):
        expect_exact(tokenizer, score)


def test_learned_words_cannot_be_transposed_one_by_one(learned):
    assert door(pretrained=str(learned)).transposition(1) is None
    assert door(pretrained=str(learned)).velocity_scaling(2.0) is None
    tokenizer = remi()
    table = tokenizer.transposition(2)
    assert tokenizer.to_tokens(table[ids_of(tokenizer, "Bar_None Pitch_60 Velocity_63")]) == [
        *("Bar_None", "Pitch_62", "Velocity_63"),
    ]
    assert table[ids_of(tokenizer, "Pitch_107")].tolist() == [-1]


def test_a_saved_tokenizer_outlives_the_file_it_was_made_from(learned, tmp_path):
    copy = tmp_path / "copy.json"
    copy.write_bytes(learned.read_bytes())
    made = door(pretrained=str(copy))
    made.save(tmp_path / "saved")
    copy.unlink()
    again = type(made).restored(made.options, tmp_path / "saved")
    assert again.fingerprint == made.fingerprint
    assert np.array_equal(again.encode(tune()), made.encode(tune()))


def test_what_remi_saves_miditok_opens(tmp_path):
    tokenizer = remi()
    tokenizer.save(tmp_path / "saved")
    theirs = miditok.REMI(params=tmp_path / "saved" / "tokenizer.json")
    ids = tokenizer.encode(tune())
    assert tokenizer.to_tokens(ids) == theirs.encode(tokenizer.decode(ids))[0].tokens


def saved(path: Path, tokenizer: miditok.MusicTokenizer, **more) -> str:
    path.write_text(json.dumps({**tokenizer.to_dict(), **more}), encoding="utf-8")
    return str(path)


def test_files_that_cannot_be_opened_are_refused_in_a_sentence(tmp_path, learned):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        door(pretrained=str(path))
    path.write_text("[]")
    with pytest.raises(UsageError, match=r"is not a tokenizer\.json"):
        door(pretrained=str(path))
    with pytest.raises(UsageError, match="holds a tokenizer of MidiTok's Octuple"):
        door(pretrained=saved(path, miditok.Octuple()))
    with pytest.raises(UsageError, match="was made with use_tempos"):
        door(pretrained=saved(path, miditok.REMI(miditok.TokenizerConfig(use_tempos=True))))
    with pytest.raises(UsageError, match="holds more than MidiTok's `save` writes: decode"):
        door(pretrained=saved(path, miditok.REMI(), decode="something else"))
    with pytest.raises(UsageError, match="pretrained decides every other option: leave out num_velocities"):
        door(pretrained=str(learned), num_velocities=4)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"type": "Octuple"}, "Octuple writes several ids for each token"),
        ({"type": "Octopus"}, "input should be 'REMI', 'TSD', 'MIDILike', 'Structured', 'MMM', 'PerTok' or 'BEAT'"),
        ({"beat_res": {"0_4": 8, "5_6": 4}}, "ranges of beats follow one another"),
        ({"beat_res": {"0_4": 4, "4_8": 8}}, "each resolution divides the first, 4"),
        ({"beat_res": {}}, "at least one range of beats"),
        ({"lowest_pitch": 80, "highest_pitch": 40}, "lowest_pitch .80. is above highest_pitch .40."),
    ],
)
def test_options_that_cannot_be_are_refused_in_a_sentence(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        door(**options)
