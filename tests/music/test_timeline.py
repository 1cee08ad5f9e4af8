"""What a piece is besides its notes comes back, to the tick where the grid allows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from symusic.core import NoteTick, TempoTick, TimeSignatureTick, TrackTick

from diffmidi import Score
from diffmidi.api.tokenizer import MetreChange, Tempo, Timeline, Tokenizer, notes_of
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.clock import Clock
from diffmidi_core.music.tempo import seconds
from diffmidi_core.music.timeline import TrackNames, typical
from diffmidi_core.music.timeline_text import read_timeline, timeline_lines
from diffmidi_core.music.toy import from_rows
from diffmidi_core.registry import find

MS = {"grid": "10ms"}


def tokenizer(name: str = "mmm", **options) -> Tokenizer:
    return find("tokenizer", name).build({"layout": "aligned", **options} if name == "mmm" else options)


def score(beats, tempos=((0, 120),), metres=((0, 4, 4),), *, late: int = 0, length: float = 0.5) -> Score:
    """Notes at quarter notes, `late` ticks after them; tempi and metres at quarter notes, too."""
    made = from_rows([(beat + late / 480, length, 60 + i % 12, 80) for i, beat in enumerate(beats)])
    made.tempos.clear()
    made.time_signatures.clear()
    for at, qpm in tempos:
        made.tempos.append(TempoTick(int(480 * at), qpm=qpm))
    for at, *metre in metres:
        made.time_signatures.append(TimeSignatureTick(int(480 * at), *metre))
    return made


def there_and_back(piece: Score, how: Tokenizer) -> Score:
    """Through the words and the comments of a text."""
    encoded = how.encode_piece(piece)
    return how.decode(encoded.ids, read_timeline("\n".join(timeline_lines(encoded.timeline)), "text"))


def told(piece: Score):
    """Everything but the notes, by ticks of 480 to the quarter."""
    scale = 480 / piece.ticks_per_quarter
    return (
        [(round(tempo.time * scale), tempo.mspq) for tempo in piece.tempos],
        [(round(sign.time * scale), sign.numerator, sign.denominator) for sign in piece.time_signatures],
    )


def onsets(piece: Score) -> list[int]:
    return np.rint(notes_of(piece).onset * 480 / piece.ticks_per_quarter).astype(int).tolist()


EIGHTHS = np.arange(1.5, 17.5, 0.5)


@pytest.mark.parametrize("late", [0, 14])
def test_a_piece_at_82_in_2_4_with_an_upbeat_comes_back_to_the_tick(late):
    piece = score(EIGHTHS, [(0, 82)], [(0, 2, 4)], late=late)
    back = there_and_back(piece, tokenizer())
    assert told(back) == told(piece) == ([(0, 731707)], [(0, 2, 4)])
    assert onsets(back) == onsets(piece)


def test_an_upbeat_that_is_a_short_first_bar_comes_back():
    piece = score(EIGHTHS - 1.5, [(0, 100)], [(0, 3, 8), (1.5, 3, 4)])
    back = there_and_back(piece, tokenizer())
    assert told(back) == told(piece)
    assert onsets(back) == onsets(piece)


def test_bars_of_rest_before_the_first_note_go_and_its_place_in_the_bar_stays():
    piece = score(EIGHTHS + 12, [(0, 100), (6, 60), (20, 90)], [(0, 3, 4), (18, 4, 4)])
    encoded = tokenizer().encode_piece(piece)
    assert encoded.timeline.upbeat == 1.5
    assert [(tempo.at, round(tempo.qpm)) for tempo in encoded.timeline.tempos] == [(0, 60), (8, 90)]
    assert encoded.timeline.metres == (MetreChange(0, 3, 4), MetreChange(6, 4, 4))


def test_remi_names_metres_itself_and_keeps_tempi():
    piece = score(EIGHTHS, [(0, 82), (8, 41)], [(0, 2, 4)], late=14)
    encoded = tokenizer("remi").encode_piece(piece)
    assert (encoded.timeline.metres, encoded.timeline.upbeat) == ((), 0)
    back = there_and_back(piece, tokenizer("remi"))
    tempos, metres = told(back)
    assert metres == [(0, 2, 4)]
    # What is late by less than a position is on it; the tempo changes with its note.
    assert onsets(back) == [int(480 * beat) for beat in EIGHTHS]
    assert [(tick, round(60e6 / mspq)) for tick, mspq in tempos] == [(0, 82), (8 * 480 - 14, 41)]


@pytest.mark.parametrize(
    ("name", "options"), [("mmm", {}), ("mmm", {"layout": "run"}), ("mmm", MS), ("remi", {}), ("miditok", {})]
)
def test_several_tempi_take_as_long_as_they_took(name, options):
    beats = np.arange(0, 24)
    slower = [(0, 120), *((8 + beat, 120 / (1 + beat / 8)) for beat in range(1, 9)), (20, 40), (20, 100)]
    piece = score(beats, slower, [(0, 4, 4)])
    back = there_and_back(piece, tokenizer(name, **options))
    one, two = (seconds(each, notes_of(each).onset) for each in (piece, back))
    assert np.abs(one - two).max() < 0.014
    assert told(back)[0][-1] == (20 * 480, 600_000), "of two tempi at one tick the last counts"


def test_what_follows_a_rest_that_was_cut_has_its_own_tempo_and_metre():
    piece = score([0, 1, 2, 3, 60, 61, 62, 63, 64], [(0, 60), (56, 120), (62, 90)], [(0, 4, 4), (60, 3, 4)])
    back = there_and_back(piece, tokenizer())
    # The rest after beat 3 is 8 quarter notes long, not 57.
    assert onsets(back) == [480 * beat for beat in (0, 1, 2, 3, 11, 12, 13, 14, 15)]
    tempos, metres = told(back)
    assert [(tick / 480, round(60e6 / mspq)) for tick, mspq in tempos] == [(0, 60), (11, 120), (13, 90)]
    assert metres == [(0, 4, 4), (11 * 480, 3, 4)]


def test_rests_cut_by_the_clock_move_bars_and_tempi_with_the_notes():
    piece = score([0, 1, 2, 3, 63, 64, 65], [(0, 60), (64, 30)], [(0, 4, 4), (63, 3, 4)])
    how = tokenizer(**MS)
    encoded = how.encode_piece(piece)
    assert encoded.changed["clamped_shift"] == 1
    back = there_and_back(piece, how)
    assert onsets(back) == [480 * beat for beat in (0, 1, 2, 3, 11, 12, 13)]
    assert told(back) == ([(0, 1_000_000), (12 * 480, 2_000_000)], [(0, 4, 4), (11 * 480, 3, 4)])


@pytest.mark.parametrize("step", [1, 5, 10, 40])
def test_words_of_milliseconds_stand_in_bars_and_are_the_same_words_again(step):
    random = np.random.default_rng(step)
    beats = 1.37 + np.cumsum(random.integers(1, 900, 60)) / 480
    tempos = [(0, 53.1), *((float(at), float(random.uniform(20, 240))) for at in range(4, 60, 7))]
    piece = score(beats, tempos, [(0, 3, 4), (9, 6, 8)])
    how = tokenizer(grid=f"{step}ms", max_shift=64)
    encoded = how.encode_piece(piece)
    back = how.decode(encoded.ids, encoded.timeline)
    assert np.array_equal(how.encode(back), encoded.ids)
    assert told(back) == told(piece)
    assert np.abs(notes_of(back).onset / back.ticks_per_quarter - notes_of(piece).onset / 480).max() < 0.6


def test_the_layout_without_time_keeps_the_first_tempo_and_metre():
    piece = score(EIGHTHS, [(0, 82), (8, 41)], [(0, 2, 4), (8, 3, 4)])
    timeline = tokenizer(layout="paper").encode_piece(piece).timeline
    assert ([round(tempo.qpm) for tempo in timeline.tempos], timeline.upbeat) == ([82], 0)
    assert timeline.metres == (MetreChange(0, 2, 4),)


def test_what_a_score_does_not_name_is_not_in_its_timeline_and_metres_that_cannot_be_are_not():
    piece = score([5, 6], (), [(0, 0, 4), (0, 3, 0), (0, 3, 3)])
    timeline = tokenizer().encode_piece(piece).timeline
    assert (timeline.tempos, timeline.metres) == ((), ())
    assert timeline.upbeat == 1, "by the MIDI standard it is 4/4"
    late = score([5, 6], [(5.5, 60)], [(6, 3, 4)])
    timeline = tokenizer().encode_piece(late).timeline
    assert [(tempo.at, round(tempo.qpm)) for tempo in timeline.tempos] == [(0, 120), (1.5, 60)]
    assert timeline.metres == (MetreChange(0, 4, 4), MetreChange(2, 3, 4))


def test_nothing_to_say_of_a_piece_without_notes():
    assert tokenizer().encode_piece(from_rows([])).timeline == Timeline()


def test_a_track_that_is_alone_keeps_its_name_and_program_and_several_are_the_piano():
    piece = score([0, 1])
    piece.tracks[0].name, piece.tracks[0].program = 'Rhodes "B"\n', 4
    encoded = tokenizer().encode_piece(piece)
    assert encoded.timeline.tracks == (TrackNames('Rhodes "B"\n', 4, 2),)
    back = there_and_back(piece, tokenizer())
    assert (back.tracks[0].name, back.tracks[0].program) == ('Rhodes "B"\n', 4)
    left = TrackTick("left", 0, False)
    left.notes.append(NoteTick(0, 480, 40, 80))
    piece.tracks.append(left)
    drums = TrackTick("drums", 0, True)
    drums.notes.append(NoteTick(0, 480, 40, 80))
    piece.tracks.append(drums)
    assert [track.name for track in tokenizer().encode_piece(piece).timeline.tracks] == ['Rhodes "B"\n', "left"]
    assert [(track.name, track.program) for track in there_and_back(piece, tokenizer()).tracks] == [("Piano", 0)]


WHOLE = Timeline(
    (Tempo(0, 82), Tempo(8.25, 60.5)),
    (MetreChange(0, 2, 4), MetreChange(16, 6, 8)),
    1.5,
    (TrackNames("Rechte Hand ü\u2028x", 0, 1),),
)


def test_through_json_and_text_it_is_the_same():
    assert Timeline.from_json(WHOLE.as_json()) == WHOLE
    assert Timeline.from_json(Timeline().as_json()) == Timeline()
    assert "\n" not in WHOLE.as_json()
    assert json.loads(Timeline().as_json()) == {}
    lines = timeline_lines(WHOLE)
    assert lines == [
        *("# tempo: 82", "# tempo: 60.5 at 8.25", "# metre: 2/4", "# metre: 6/8 at 16", "# upbeat: 1.5"),
        '# track: "Rechte Hand \\u00fc\\u2028x", program 0, 1 note',
    ]
    assert read_timeline("\n".join(["# a tune", *lines, "t0 p60 v8 d12 # tempo: what follows words"]), "text") == WHOLE
    assert read_timeline("# a tune at any tempo\n# tempo rubato\nt0 p60 v8 d12", "text") is None


def test_every_tempo_of_a_midi_file_is_written_as_the_same_tempo():
    for mspq in [1, 7, 250_000, 487_804, 500_000, 731_707, 999_999, 2**24 - 1]:
        (line,) = timeline_lines(Timeline((Tempo(0, 60e6 / mspq),)))
        assert read_timeline(line, "text").tempos[0].mspq == mspq, line


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("# tempo: fast", "'fast' is no tempo: it is quarter notes a minute"),
        ("# tempo: 0", "'0' is no tempo"),
        ("# metre: 3/5", "'3/5' is no metre: it is beats of a value"),
        ("# metre: 0/4", "no metre"),
        ("#upbeat: -1", "'-1' is no upbeat"),
        ("# track: Piano", "no track"),
        ('# track: "a", program 128, 3 notes', "no track"),
        ('# track: "a"b", program 0, 3 notes', "no track"),
    ],
)
def test_what_cannot_be_is_told_with_its_line(line, meant):
    with pytest.raises(DiffmidiError) as error:
        read_timeline(f"# a tune\n{line}", "a.txt")
    assert str(error.value).startswith("a.txt, line 2: ")
    assert meant in str(error.value)


def test_quarter_notes_to_microseconds_and_back():
    clock = Clock((Tempo(0, 60), Tempo(4, 120), Tempo(6, 30)))
    quarters = np.array([0, 3, 4, 5, 6, 7.5])
    assert clock.elapsed(quarters).tolist() == [0, 3e6, 4e6, 4.5e6, 5e6, 8e6]
    assert clock.quarters(clock.elapsed(quarters)).tolist() == quarters.tolist()
    assert Clock(()).elapsed(np.array([2.0])).tolist() == [1e6]


def test_the_tempo_and_metre_of_a_piece_are_the_mean_and_what_holds_longest():
    piece = score([0, 8], [(0, 60), (4, 120)], [(0, 4, 4), (2, 3, 4)])
    qpm, metre = typical(piece, 8 * 480, seconds=6.0)
    assert (round(qpm), metre) == (80, (3, 4))
    assert typical(score([0], (), ()), 480, seconds=0.5) == (None, None)
    assert typical(score([0], [(0, 90)], [(0, 1, 4)]), 480, seconds=2 / 3)[1] is None, "one beat is no metre"
