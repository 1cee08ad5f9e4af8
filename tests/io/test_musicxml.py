"""The MusicXML reader on small scores written out here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from diffmidi.api import DiffmidiError
from diffmidi_io.musicxml import Part, read_musicxml

PARTWISE = "<score-partwise><part-list>{names}</part-list>{parts}</score-partwise>"


def note(step: str, length: int, *, octave: int = 4, tie: str = "", more: str = "") -> str:
    ties = "".join(f'<tie type="{each}"/>' for each in tie.split())
    alter = "<alter>1</alter>" if step.endswith("#") else ""
    pitch = f"<pitch><step>{step[0]}</step>{alter}<octave>{octave}</octave></pitch>"
    return f"<note>{more}{pitch}<duration>{length}</duration>{ties}</note>"


def rest(length: int) -> str:
    return f"<note><rest/><duration>{length}</duration></note>"


def metre(beats: int, value: int, divisions: int = 2) -> str:
    time = f"<time><beats>{beats}</beats><beat-type>{value}</beat-type></time>"
    return f"<attributes><divisions>{divisions}</divisions>{time}</attributes>"


def read(folder: Path, *parts: list[str]) -> list[Part]:
    """Parts as lists of bars, two divisions in a quarter note."""
    names = "".join(f'<score-part id="P{i}"><part-name>Part\n{i}</part-name></score-part>' for i in range(len(parts)))
    bars = ["".join(f"<measure>{bar}</measure>" for bar in part) for part in parts]
    score = PARTWISE.format(names=names, parts="".join(f'<part id="P{i}">{each}</part>' for i, each in enumerate(bars)))
    path = folder / "score.musicxml"
    path.write_text(score, encoding="utf-8")
    return read_musicxml(path)


def test_notes_follow_each_other_and_rests_take_their_time(tmp_path: Path):
    (part,) = read(tmp_path, [metre(4, 4) + note("C", 2) + rest(1) + note("F#", 1) + note("B", 4, octave=3)])
    assert part.notes == ((0, 480, 60), (720, 240, 66), (960, 960, 59))
    assert part.metres == ((0, 4, 4),)
    assert part.name == "Part 0"


def test_chords_start_together(tmp_path: Path):
    chord = note("C", 4) + note("E", 4, more="<chord/>") + note("G", 4, more="<chord/>") + note("C", 4)
    (part,) = read(tmp_path, [metre(4, 4) + chord])
    assert part.notes == ((0, 960, 60), (0, 960, 64), (0, 960, 67), (960, 960, 60))


def test_tied_notes_are_one_note_over_the_bar_too(tmp_path: Path):
    first = metre(2, 4) + note("C", 2) + note("D", 2, tie="start")
    second = note("D", 4, tie="stop start")
    third = note("D", 1, tie="stop") + note("D", 3)
    (part,) = read(tmp_path, [first, second, third])
    assert part.notes == ((0, 480, 60), (480, 480 + 960 + 240, 62), (2160, 720, 62))


def test_a_tie_that_begins_nowhere_is_a_note(tmp_path: Path):
    (part,) = read(tmp_path, [metre(4, 4) + note("C", 2, tie="start") + rest(2) + note("C", 4, tie="stop")])
    assert part.notes == ((0, 480, 60), (960, 960, 60))


def test_voices_go_back_and_forward(tmp_path: Path):
    back, on = "<backup><duration>8</duration></backup>", "<forward><duration>4</duration></forward>"
    (part,) = read(tmp_path, [metre(4, 4) + note("C", 8) + back + on + note("G", 4), note("D", 8)])
    assert part.notes == ((0, 1920, 60), (960, 960, 67), (1920, 1920, 62))


def test_grace_notes_take_no_time_and_are_left_out(tmp_path: Path):
    grace = "<note><grace/><pitch><step>A</step><octave>4</octave></pitch></note>"
    (part,) = read(tmp_path, [metre(2, 4) + grace + note("G", 4)])
    assert part.notes == ((0, 960, 67),)


@pytest.mark.parametrize(
    ("said", "length", "expected"),
    [
        ((4, 4), 2, ((0, 1, 4), (480, 4, 4))),
        ((4, 4), 1, ((0, 1, 8), (240, 4, 4))),
        ((12, 8), 3, ((0, 3, 8), (720, 12, 8))),
        ((3, 2), 4, ((0, 1, 2), (960, 3, 2))),
        ((2, 4), 4, ((0, 2, 4),)),
    ],
)
def test_an_upbeat_is_a_metre_of_its_own(tmp_path: Path, said, length, expected):
    (part,) = read(tmp_path, [metre(*said) + note("C", length), note("D", 8)])
    assert part.metres == expected


def test_metres_change_where_they_are_written(tmp_path: Path):
    (part,) = read(tmp_path, [metre(4, 4) + note("C", 8), metre(3, 4) + note("C", 6), note("C", 6)])
    assert part.metres == ((0, 4, 4), (1920, 3, 4))


def test_bars_of_all_parts_start_together_where_one_is_written_too_long(tmp_path: Path):
    out = "<forward><duration>4</duration></forward>"
    sung = [metre(4, 4) + note("C", 8), note("D", 2), note("E", 6)]
    silent = [metre(4, 4) + rest(8), out + rest(2), note("C", 6, octave=3)]
    first, second = read(tmp_path, sung, silent)
    assert first.notes[-1] == (2400, 1440, 64)
    assert second.notes == ((2400, 1440, 48),)


def test_a_compressed_score_is_the_same_score(tmp_path: Path):
    plain = read(tmp_path, [metre(4, 4) + note("C", 8)])
    rootfile = '<container><rootfiles><rootfile full-path="in/music.xml"/></rootfiles></container>'
    with zipfile.ZipFile(tmp_path / "score.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", rootfile)
        archive.write(tmp_path / "score.musicxml", "in/music.xml")
    assert read_musicxml(tmp_path / "score.mxl") == plain


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("text.xml", b"no music"),
        ("zip.mxl", b"no zip"),
        ("empty.xml", b""),
        ("notes.xml", b"<score-partwise><part><measure><note><pitch/></note></measure></part></score-partwise>"),
    ],
)
def test_what_is_no_score_is_said_in_a_sentence(tmp_path: Path, name: str, data: bytes):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DiffmidiError, match=f"{name} is not MusicXML that can be read: "):
        read_musicxml(tmp_path / name)


def test_a_member_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("diffmidi_io.musicxml.MAX_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", '<c><rootfile full-path="a.xml"/></c>')
        archive.writestr("a.xml", b" " * 1001)
    with pytest.raises(DiffmidiError, match="unpacks to more than any score holds"):
        read_musicxml(tmp_path / "bomb.mxl")
