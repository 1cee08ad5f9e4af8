"""MMM, PerTok and BEAT: what is peculiar to each."""

from __future__ import annotations

import json
from pathlib import Path

import miditok
import numpy as np
import pytest
from symusic.core import TimeSignatureTick

from diffmidi.api.tokenizer import Notes, Score, Tokenizer, notes_of, score_of
from diffmidi_core.errors import UsageError
from diffmidi_core.music.toy import from_rows, toy_scores, tune
from diffmidi_core.registry import find

KINDS = [
    {"type": "MMM"},
    {"type": "MMM", "base_tokenizer": "TSD"},
    {"type": "MMM", "base_tokenizer": "MIDILike", "use_rests": True},
    {"type": "PerTok"},
    {"type": "PerTok", "use_position_toks": True},
    {"type": "PerTok", "use_microtiming": False},
    {"type": "PerTok", "max_microtiming_shift": 0.3, "num_microtiming_bins": 14},
    {"type": "PerTok", "ticks_per_quarter": 96, "beat_res": {"0_4": 12}},
    {"type": "BEAT"},
    {"type": "BEAT", "use_velocities": False},
]


def door(**options) -> Tokenizer:
    return find("tokenizer", "miditok").build(options)


def words(tokenizer: Tokenizer, score: Score) -> str:
    return " ".join(tokenizer.to_tokens(tokenizer.encode(score)))


def decoded(tokenizer: Tokenizer, text: str) -> Score:
    return tokenizer.decode(tokenizer.to_ids(text.split()))


def rows(score: Score) -> list[tuple[float, float, int, int]]:
    notes, quarter = notes_of(score), score.ticks_per_quarter
    columns = (notes.onset / quarter, notes.duration / quarter, notes.pitch.tolist(), notes.velocity.tolist())
    return list(zip(*columns, strict=True))


def messy(seed: int) -> Score:
    """Random notes under two metres, on the grid or off it."""
    random = np.random.default_rng(seed)
    count, spread = int(random.integers(1, 80)), 480 * int(random.choice([4, 60, 1000]))
    onset = random.integers(0, spread, count)
    onset = onset // 60 * 60 + 31 if seed % 2 else onset
    pitch, velocity = random.integers(40, 60, count), random.integers(1, 128, count)
    score = score_of(Notes(onset, random.integers(1, 9 * 480, count), pitch, velocity), 480)
    score.time_signatures.clear()
    score.time_signatures.append(TimeSignatureTick(0, *[(4, 4), (3, 4), (6, 8)][seed % 3]))
    score.time_signatures.append(TimeSignatureTick(48 * 480, *[(6, 8), (4, 4)][seed % 2]))
    return score


@pytest.mark.parametrize("options", KINDS, ids=lambda options: "-".join(map(str, options.values())))
def test_words_survive_decoding(options):
    tokenizer = door(**options)
    random = np.random.default_rng(0)
    junk = [tokenizer.decode(random.integers(0, len(tokenizer.vocab), 150, dtype=np.int32)) for _ in range(8)]
    for score in (*map(messy, range(8)), *junk):
        ids = tokenizer.encode(score)
        back = tokenizer.decode(ids)
        assert np.array_equal(tokenizer.encode(back), ids)
        assert tokenizer.count_notes(ids) == len(notes_of(back))
        assert tokenizer.faults(ids) == 0
        cuts = [*tokenizer.starts(ids).tolist(), len(ids)]
        assert all(tokenizer.faults(ids[start:end]) == 0 for start, end in zip(cuts, cuts[2:], strict=False))


# --- MMM ---


@pytest.mark.parametrize("base", ["REMI", "TSD", "MIDILike"])
def test_mmm_is_its_base_without_the_frame_of_a_track(base):
    tokenizer = door(type="MMM", base_tokenizer=base)
    assert words(tokenizer, tune()) == words(door(type=base), tune())
    assert not any(word.startswith(("Track", "Program")) for word in tokenizer.vocab)
    said = miditok.TokenizerConfig(
        programs=[0], special_tokens=["PAD"], beat_res={(0, 4): 8, (4, 12): 4}, base_tokenizer=base
    )
    said.use_time_signatures, said.time_signature_range = base == "REMI", {4: [4]}
    theirs = miditok.MMM(said).encode(tokenizer.decode(tokenizer.encode(tune()))).tokens
    assert theirs == ["Track_Start", "Program_0", *words(tokenizer, tune()).split(), "Track_End"]


# --- PerTok ---


def test_pertok_says_how_far_a_note_is_from_its_position():
    score = score_of(Notes(*map(np.array, ([0, 470, 1000], [480, 480, 480], [60, 62, 64], [63, 63, 63]))), 480)
    assert words(door(type="PerTok"), score) == (
        "Pitch_60 MicroTiming_0 Velocity_63 Duration_1.0.480 "
        "TimeShift_1.0.480 Pitch_62 MicroTiming_-10 Velocity_63 Duration_1.0.480 "
        "TimeShift_1.60.480 Pitch_64 MicroTiming_-20 Velocity_63 Duration_1.0.480"
    )
    # 480 + 480 = 960, the second onset's position and the third's; 40 ticks are more than half of 60.
    assert rows(door(type="PerTok").decode(door(type="PerTok").encode(score))) == [
        (0, 1, 60, 63),
        (470 / 480, 1, 62, 63),
        (1000 / 480, 1, 64, 63),
    ]


def test_pertok_keeps_the_time_of_a_performance_to_half_a_bin_of_microtiming():
    random = np.random.default_rng(1)
    onset = np.sort(random.choice(16 * 480, 100, replace=False))
    onset -= onset[0]
    score = score_of(Notes(onset, np.full(100, 240), 30 + np.arange(100) % 60, np.full(100, 63)), 480)

    def error(**options) -> float:
        tokenizer = door(type="PerTok", **options)
        return float(np.abs(notes_of(tokenizer.decode(tokenizer.encode(score))).onset - onset).max())

    # Bins are two ticks apart, but none is at the 30 that are as near to the next position.
    assert error() <= 2
    assert error(num_microtiming_bins=6) <= 10
    assert error(use_microtiming=False) > 20


def test_pertok_takes_off_what_all_onsets_are_late_by():
    late = [(beat + 10 / 480, 0.5, 60 + beat, 63) for beat in range(4)]
    punctual = [(beat, 0.5, 60 + beat, 63) for beat in range(4)]
    assert words(door(type="PerTok"), from_rows(late)) == words(door(type="PerTok"), from_rows(punctual))


def test_pertok_writes_a_note_early_for_its_bar_in_that_bar():
    text = (
        "Pitch_60 MicroTiming_0 Velocity_63 Duration_1.0.480 Bar_None Pitch_62 MicroTiming_-8 Velocity_63 "
        "Duration_1.0.480"
    )
    tokenizer = door(type="PerTok", use_position_toks=True)
    assert [onset for onset, *_ in rows(decoded(tokenizer, text))] == [0, 4 - 8 / 480]
    assert words(tokenizer, decoded(tokenizer, text)) == text
    # A window that begins with it begins at 0.
    window = " ".join(text.split()[5:])
    assert [onset for onset, *_ in rows(decoded(tokenizer, window))] == [0]


# --- BEAT ---


def test_beat_says_what_each_pitch_does_in_four_steps():
    score = from_rows([(0, 1.5, 60, 63), (0.25, 0.25, 64, 63), (0.75, 0.25, 64, 63)])
    assert words(door(type="BEAT"), score) == (
        "Bar_None TimeSig_4/4 Beat_None Program_0 Pitch_64 Pattern_10 Velocity_63 Pitch_4 Pattern_53 Velocity_63 "
        "Beat_None Program_0 Pitch_60 Pattern_72 Velocity_63"
    )
    tokenizer = door(type="BEAT")
    ids = tokenizer.encode(score)
    assert tokenizer.count_notes(ids) == 3
    assert rows(tokenizer.decode(ids)) == rows(score)
    assert tokenizer.starts(ids).tolist() == [0, 10]


def test_beat_writes_the_metre_in_every_bar_and_miditok_reads_it():
    score = from_rows([(beat / 2, 0.5, 60, 63) for beat in range(12)])
    score.time_signatures.clear()
    score.time_signatures.append(TimeSignatureTick(0, 6, 8))
    tokenizer = door(type="BEAT")
    written = words(tokenizer, score).split()
    assert written.count("TimeSig_6/8") == written.count("Bar_None") == 2
    assert rows(tokenizer.decode(tokenizer.encode(score))) == rows(score)


def test_the_beats_of_a_window_from_inside_a_bar_end_that_bar():
    tokenizer = door(type="BEAT")
    ids = tokenizer.encode(from_rows([(beat, 1, 60 + beat, 63) for beat in range(8)]))
    third = tokenizer.starts(ids)[2]
    assert [onset for onset, *_ in rows(tokenizer.decode(ids[third:]))] == [2, 3, 4, 5, 6, 7]


def test_a_pitch_struck_again_while_it_sounds_has_the_velocity_of_the_stroke():
    tokenizer = door(type="BEAT")
    score = from_rows([(0, 1.5, 60, 31), (1.5, 0.5, 60, 127)])
    assert [velocity for *_, velocity in rows(tokenizer.decode(tokenizer.encode(score)))] == [31, 127]


def test_words_of_intervals_cannot_be_transposed_one_by_one():
    assert door(type="BEAT").transposition(1) is None
    assert door(type="MMM").transposition(1) is not None
    assert door(type="PerTok").transposition(1) is not None


# --- saved ---


@pytest.mark.parametrize("kind", ["MMM", "PerTok", "BEAT"])
def test_a_tokenizer_of_many_instruments_learned_by_bpe_opens(kind, tmp_path):
    more = {
        "MMM": {"base_tokenizer": "TSD"},
        "PerTok": {"ticks_per_quarter": 96, "use_microtiming": False, "max_microtiming_shift": 0.1},
        "BEAT": {},
    }[kind]
    theirs = getattr(miditok, kind)(miditok.TokenizerConfig(num_velocities=8, encode_ids_split="no", **more))
    for name in ("tune", "scale", "chords"):
        toy_scores()[name].dump_midi(tmp_path / f"{name}.mid")
    theirs.train(vocab_size=len(theirs) + 30, model="BPE", files_paths=sorted(tmp_path.glob("*.mid")))
    theirs.save(tmp_path / "tokenizer.json")
    tokenizer = door(pretrained=str(tmp_path / "tokenizer.json"))
    ids = tokenizer.encode(tune())
    assert any("+" in word for word in tokenizer.to_tokens(ids))
    assert np.array_equal(tokenizer.encode(tokenizer.decode(ids)), ids)
    assert tokenizer.count_notes(ids) == len(notes_of(tune()))
    assert tokenizer.faults(ids) == 0


def saved(path: Path, tokenizer: miditok.MusicTokenizer, **changed) -> str:
    said = tokenizer.to_dict()
    path.write_text(json.dumps({**said, "config": {**said["config"], **changed}}), encoding="utf-8")
    return str(path)


def test_a_saved_pertok_that_would_not_be_exact_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    more = {"ticks_per_quarter": 480, "use_microtiming": True, "max_microtiming_shift": 0.1}
    odd = miditok.PerTok(miditok.TokenizerConfig(**more, num_microtiming_bins=7))
    with pytest.raises(UsageError, match="num_microtiming_bins is even"):
        door(pretrained=saved(path, odd))
    with pytest.raises(UsageError, match="was made with use_chords"):
        door(pretrained=saved(path, odd, use_chords=True))
    with pytest.raises(UsageError, match="PerTok's options cannot be read in it"):
        door(pretrained=saved(path, odd, additional_params=[]))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"type": "TSD", "ticks_per_quarter": 96}, "ticks_per_quarter is an option of PerTok, not of TSD"),
        ({"type": "PerTok", "base_tokenizer": "TSD"}, "base_tokenizer is an option of MMM, not of PerTok"),
        ({"type": "PerTok", "use_chords": True}, "PerTok has no chords: leave out use_chords"),
        ({"type": "PerTok", "beat_res": {"0_2": 8, "2_4": 4}}, "the first range of beat_res reaches 4"),
        ({"type": "PerTok", "ticks_per_quarter": 100}, "divides 100"),
        ({"type": "PerTok", "num_microtiming_bins": 3}, "num_microtiming_bins is even"),
        ({"type": "BEAT", "beat_res": {"0_4": 12}}, "BEAT has four steps to a beat: leave out beat_res"),
    ],
)
def test_options_of_another_kind_are_refused_in_a_sentence(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        door(**options)
