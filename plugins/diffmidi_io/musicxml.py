"""A small reader of MusicXML, for scores in common notation that are known to be sound.

music21 reads far more of the format, and takes 45 s for the corpus that this reads in three: what is left out here
(ornaments, grace notes, dynamics, repeats played twice) changes no written note.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from diffmidi.api import DiffmidiError

TICKS_PER_QUARTER = 480
MAX_BYTES = 16 * 2**20
"""More than any score unpacks to."""

_SEMITONE = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

Note = tuple[int, int, int]
"""Onset and duration in ticks, and MIDI pitch."""
Metre = tuple[int, int, int]
"""Tick from which it holds, beats in a bar, and the note value of a beat."""


@dataclass(frozen=True)
class Part:
    """One staff's notes, by onset, tied ones as one; and the metres its bars are written in."""

    name: str
    notes: tuple[Note, ...]
    metres: tuple[Metre, ...]


def read_musicxml(path: Path) -> list[Part]:
    """The parts of a .musicxml, .xml or .mxl file, as written: repeats are not played twice, nothing is transposed.

    Raises DiffmidiError where it is not such a file.
    """
    try:
        return _read_parts(ElementTree.fromstring(_unpacked(path)))
    except (OSError, ValueError, LookupError, ElementTree.ParseError, zipfile.BadZipFile) as error:
        raise DiffmidiError(f"{path} is not MusicXML that can be read: {error}.") from error


def _unpacked(path: Path) -> bytes:
    if path.suffix != ".mxl":
        return path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        name = next(each.attrib["full-path"] for each in container.iter() if "full-path" in each.attrib)
        member = archive.getinfo(name)
        if member.file_size > MAX_BYTES:
            raise ValueError("it unpacks to more than any score holds")
        return archive.read(member)


def _read_parts(root: Element) -> list[Part]:
    names = {each.get("id"): each.findtext("part-name", "") for each in root.iter("score-part")}
    parts = root.findall("part")
    staves = [_Staff() for _ in parts]
    bar = 0
    for number, measures in enumerate(zip(*(part.iterfind("measure") for part in parts), strict=True)):
        # Bars of all parts start together. A part that only rests may have a bar of the wrong length, so others decide.
        read = [staff.read(measure, bar) for staff, measure in zip(staves, measures, strict=True)]
        bar += max(read)[1]
        if number == 0:
            for staff in staves:
                staff.metres = _with_upbeat(staff.metres, bar)
    return [
        Part(" ".join(names.get(part.get("id"), "").split()), tuple(sorted(staff.notes)), tuple(staff.metres))
        for part, staff in zip(parts, staves, strict=True)
    ]


class _Staff:
    """A part while it is read."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.metres: list[Metre] = []
        self.divisions = 1
        self.ties: dict[int, int] = {}  # pitch to the index of the note that is tied on

    def read(self, measure: Element, bar: int) -> tuple[bool, int]:
        """Add the bar that starts at tick `bar`: whether anything sounds in it, and how long it is."""
        sounds, now, onset, end = False, bar, bar, bar
        for element in measure:
            length = int(element.findtext("duration", "0")) * TICKS_PER_QUARTER // self.divisions
            if element.tag == "attributes":
                self.divisions = int(element.findtext("divisions", str(self.divisions)))
                self.metres += ((bar, *metre) for metre in _metres(element))
            elif element.tag == "backup":
                now -= length
            elif element.tag == "forward":
                now += length
            elif element.tag == "note" and element.find("grace") is None:
                if element.find("chord") is None:
                    onset, now = now, now + length
                pitch = _pitch(element)
                if pitch is not None:
                    sounds = True
                    self._write(element, onset, length, pitch)
                end = max(end, onset + length)
        return sounds, end - bar

    def _write(self, element: Element, onset: int, length: int, pitch: int) -> None:
        """Add a note, or lengthen the one that it is tied to."""
        tied = {each.get("type") for each in element.iterfind("tie")}
        index = self.ties.pop(pitch, None) if "stop" in tied else None
        if index is not None and sum(self.notes[index][:2]) == onset:
            self.notes[index] = (self.notes[index][0], self.notes[index][1] + length, pitch)
        else:
            index = len(self.notes)
            self.notes.append((onset, length, pitch))
        if "start" in tied:
            self.ties[pitch] = index


def _pitch(note: Element) -> int | None:
    written = note.find("pitch")
    if written is None:
        return None
    octave, alter = int(written.findtext("octave", "")), round(float(written.findtext("alter", "0")))
    return 12 * (octave + 1) + _SEMITONE[written.findtext("step", "")] + alter


def _metres(attributes: Element) -> Iterator[tuple[int, int]]:
    for time in attributes.iterfind("time"):
        yield int(time.findtext("beats", "")), int(time.findtext("beat-type", ""))


def _with_upbeat(metres: Iterable[Metre], length: int) -> list[Metre]:
    """A first bar that is shorter than its metre says gets a metre of its own, as MIDI files write an upbeat."""
    first, *others = metres or [(0, 4, 4)]
    _, beats, value = first
    beat = TICKS_PER_QUARTER * 4 // value
    if not 0 < length < beats * beat:
        return [first, *others]
    while length % beat:
        value, beat = 2 * value, beat // 2
    return [(0, length // beat, value), (length, *first[1:]), *others]
