"""New notes in a user's file: everything else stays, event by event."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diffmidi_core.errors import RefusedError
from diffmidi_core.steer.patching import NewNotes, others, patched
from diffmidi_core.steer.user_file import UserFile

TOLD = "DIFFMIDI_TEST_DATA"
EVERY = "DIFFMIDI_TEST_EVERY"
"""Set to 1 for every file of the corpus, not one in 120."""

DIVISION = 96


def midi(*tracks: list[tuple[int, bytes]], form: int = 1) -> bytes:
    """A file of tracks, each of ticks since the event before (below 128) and events."""
    bodies = [b"".join(bytes([delta]) + event for delta, event in [*track, (0, b"\xff\x2f\x00")]) for track in tracks]
    head = b"MThd" + (6).to_bytes(4, "big") + b"".join(n.to_bytes(2, "big") for n in (form, len(tracks), DIVISION))
    return head + b"".join(b"MTrk" + len(body).to_bytes(4, "big") + body for body in bodies)


def new(*notes: tuple[int, int, int, int]) -> NewNotes:
    """Notes of part, onset, duration and pitch, velocity 80."""
    table = np.array(notes, dtype=np.int64).reshape(-1, 4)
    return NewNotes(*table.T, np.full(len(table), 80))


def told(file: UserFile) -> list[tuple[int, ...]]:
    """Part, onset, duration and pitch of each note."""
    notes = file.notes
    return list(zip(*(each.tolist() for each in (notes.part, notes.onset, notes.duration, notes.pitch)), strict=True))


RICH = midi(
    [(0, b"\xff\x51\x03\x07\xa1\x20"), (0, b"\xff\x58\x04\x03\x02\x18\x08"), (0, b"\xff\x59\x02\x00\x00")],
    [
        (0, b"\xff\x03\x05Right"),
        (0, b"\xf0\x05\x7e\x7f\x09\x01\xf7"),
        (0, b"\xc0\x00"),
        (0, b"\xb0\x40\x7f"),
        (0, b"\x90\x3c\x40"),
        (48, b"\x3c\x00"),  # running status, a note-on of velocity 0
        (0, b"\xb0\x40\x00"),
        (0, b"\x90\x40\x50"),
        (96, b"\x80\x40\x21"),
        (10, b"\xff\x01\x02hi"),
    ],
    [(0, b"\x91\x30\x40"), (96, b"\x81\x30\x40")],
)


def test_nothing_changed_is_byte_for_byte_the_file() -> None:
    file = UserFile(RICH, "rich")
    assert patched(file, np.zeros(len(file.notes), dtype=bool), NewNotes.none()).data == RICH


def test_other_tracks_stay_byte_for_byte_and_other_events_where_they_are() -> None:
    file = UserFile(RICH, "rich")
    answer = patched(file, file.notes.pitch == 64, new((0, 48, 24, 70)))
    again = UserFile(answer.data, "again")
    assert told(again) == [(0, 0, 48, 60), (1, 0, 96, 48), (0, 48, 24, 70)]
    assert [[(event.tick, event.data) for event in track] for track in others(again)] == [
        [(event.tick, event.data) for event in track] for track in others(file)
    ]
    begin, end = file.chunk(2)
    assert answer.data.endswith(RICH[begin - 8 : end])
    begin, end = file.chunk(0)
    assert answer.data[:end] == RICH[:end]


def test_how_a_kept_key_is_let_go_stays() -> None:
    file = UserFile(RICH, "rich")
    answer = patched(file, file.notes.pitch == 60, NewNotes.none())
    kept = [event for event in UserFile(answer.data, "again").events(1) if event.data[0] >> 4 == 8]
    assert [(event.tick, event.data) for event in kept] == [(144, b"\x80\x40\x21")]


@pytest.mark.parametrize(
    ("note", "there", "left_out", "shortened"),
    [
        ((0, 10, 20, 60), None, 1, 0),  # the key is down
        ((0, 0, 20, 60), None, 1, 0),  # it is struck on the same tick
        ((0, 48, 20, 60), (0, 48, 20, 60), 0, 0),  # it is let go on this tick
        ((0, 20, 90, 64), (0, 20, 28, 64), 0, 1),  # it is struck again
        ((0, 10, 20, 48), (0, 10, 20, 48), 0, 0),  # the same pitch, another channel
    ],
)
def test_a_new_note_never_cuts_a_kept_one(
    note: tuple[int, int, int, int], there: tuple[int, int, int, int] | None, left_out: int, shortened: int
) -> None:
    file = UserFile(RICH, "rich")
    answer = patched(file, np.zeros(len(file.notes), dtype=bool), new(note))
    assert (answer.left_out, answer.shortened) == (left_out, shortened)
    found = told(UserFile(answer.data, "again"))
    assert set(told(file)) <= set(found)
    assert set(found) - set(told(file)) == ({there} - {None})


def test_another_track_of_the_channel_is_not_cut_either() -> None:
    file = UserFile(
        midi([(0, b"\x90\x3c\x40"), (96, b"\x80\x3c\x40")], [(0, b"\x90\x40\x40"), (9, b"\x80\x40\x40")]), "f"
    )
    answer = patched(file, np.zeros(2, dtype=bool), new((1, 20, 9, 60)))
    assert answer.left_out == 1


def test_a_key_that_was_let_go_by_being_struck_again_still_is() -> None:
    """The second strike goes away; so does its note-off, and the first needs one of its own."""
    file = UserFile(midi([(0, b"\x90\x3c\x40"), (30, b"\x90\x3c\x50"), (30, b"\x80\x3c\x40"), (30, b"\x90\x40\x40"),
                          (9, b"\x80\x40\x40")]), "f")  # fmt: skip
    assert told(file)[:2] == [(0, 0, 30, 60), (0, 30, 30, 60)]
    answer = patched(file, np.array([False, True, False]), NewNotes.none())
    assert told(UserFile(answer.data, "again")) == [(0, 0, 30, 60), (0, 90, 9, 64)]


def test_all_notes_off_ends_a_new_note() -> None:
    file = UserFile(
        midi([(0, b"\x90\x3c\x40"), (30, b"\xb0\x7b\x00"), (60, b"\x90\x40\x40"), (9, b"\x80\x40\x40")]), "f"
    )
    answer = patched(file, np.zeros(2, dtype=bool), new((0, 10, 60, 70)))
    assert (0, 10, 20, 70) in told(UserFile(answer.data, "again"))


def _random_change(file: UserFile, rng: np.random.Generator) -> tuple[np.ndarray, NewNotes]:
    notes = file.notes
    drums = [place for place, part in enumerate(file.parts) if part.is_drum]
    first, last = sorted(rng.integers(0, int(notes.end.max()) + 1, 2).tolist())
    low, high = (0, 127) if rng.random() < 0.5 else sorted(rng.integers(0, 128, 2).tolist())
    removed = (notes.onset >= first) & (notes.onset <= last) & (notes.pitch >= low) & (notes.pitch <= high)
    count, parts = int(rng.integers(1, 200)), [place for place in range(len(file.parts)) if place not in drums]
    made = NewNotes(
        rng.choice(parts, count),
        rng.integers(first, last + 1, count),
        rng.integers(0, file.ticks * 4, count),
        rng.integers(low, high + 1, count),
        rng.integers(1, 128, count),
    )
    return removed & ~np.isin(notes.part, drums), made


def _check(path: Path, rng: np.random.Generator) -> bool:
    """Whether the file can be read; that whatever is filled in leaves all else in it as it was."""
    try:
        file = UserFile.read(path)
    except RefusedError:
        return False
    assert len(file.notes) == file.score.note_num(), path
    assert patched(file, np.zeros(len(file.notes), dtype=bool), NewNotes.none()).data == file.data, path
    removed, made = _random_change(file, rng)
    answer = patched(file, removed, made)
    again = UserFile(answer.data, path.name)
    assert again.data[: again.header.length] == file.data[: file.header.length], path
    assert [[(event.tick, event.data) for event in track] for track in others(again)] == [
        [(event.tick, event.data) for event in track] for track in others(file)
    ], path
    rows = (again.notes.onset, again.notes.end, again.notes.pitch, again.notes.velocity)
    found = sorted(zip(*(each.tolist() for each in rows), strict=True))
    old = file.notes
    rows = tuple(each[~removed] for each in (old.onset, old.end, old.pitch, old.velocity))
    kept = list(zip(*(each.tolist() for each in rows), strict=True))
    put = answer.new
    added = zip(
        *(each.tolist() for each in (put.onset, put.onset + put.duration, put.pitch, put.velocity)), strict=True
    )
    assert found == sorted([*kept, *added]), path
    return True


@pytest.mark.skipif(TOLD not in os.environ, reason=f"the collections of files are found through {TOLD}")
def test_every_file_of_the_corpus_keeps_what_is_kept() -> None:
    files = sorted((Path(os.environ[TOLD]) / "corpus").rglob("*.mid"))[:: int(os.environ.get(EVERY, "120"))]
    assert files
    assert all(_check(path, np.random.default_rng(number)) for number, path in enumerate(files))


@pytest.mark.skipif(TOLD not in os.environ, reason=f"the collections of files are found through {TOLD}")
@pytest.mark.parametrize(("name", "script"), [("bad", "make_bad.py"), ("bad2", "make_bad2.py")])
def test_every_file_of_the_bad_collections_that_can_be_read_keeps_what_is_kept(
    name: str, script: str, tmp_path: Path
) -> None:
    made = Path(os.environ[TOLD]) / name / script
    subprocess.run([sys.executable, str(made), str(tmp_path)], check=True, capture_output=True)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size < 1_000_000)
    read = [path for number, path in enumerate(files) if _check(path, np.random.default_rng(number))]
    assert len(read) > 50
