"""A timeline as lines of text, which stand above the tokens of a piece as comments, and can be edited with them.

    # tempo: 82
    # tempo: 60 at 16
    # metre: 2/4
    # upbeat: 1.5
    # track: "Right hand", program 0, 24 notes

Times are quarter notes since the first bar line; what has none holds from there on.
"""

from __future__ import annotations

import json
import re
from typing import TypeVar

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.clock import Tempo
from diffmidi_core.music.timeline import MetreChange, Timeline, TrackNames

Change = TypeVar("Change", Tempo, MetreChange)
_NUMBER = r"(\d+(?:\.\d+)?)"
_AT = rf"(?: at {_NUMBER})?"
_FORMS = {
    "tempo": (re.compile(_NUMBER + _AT), "quarter notes a minute, such as '# tempo: 82' or '# tempo: 60 at 16'"),
    "metre": (re.compile(rf"(\d+)/(\d+){_AT}"), "beats of a value, such as '# metre: 2/4' or '# metre: 3/4 at 16'"),
    "upbeat": (re.compile(_NUMBER), "quarter notes before the first note, such as '# upbeat: 1.5'"),
    "track": (re.compile(r'(".*"), program (\d+), (\d+) notes?'), "as in '# track: \"Piano\", program 0, 24 notes'"),
}
_LINE = re.compile(rf"#\s*({'|'.join(_FORMS)}):(.*)")
_VALUES = (1, 2, 4, 8, 16, 32, 64, 128)
_SLOWEST, _FASTEST = 3.57, 60_000_000.0
"""What a MIDI file can say of a tempo."""


def timeline_lines(timeline: Timeline) -> list[str]:
    """A comment line for each tempo and metre, for the upbeat, and for each track."""
    lines = [f"# tempo: {_qpm(tempo)}{_at(tempo.at)}" for tempo in timeline.tempos]
    lines += [f"# metre: {numerator}/{denominator}{_at(at)}" for at, numerator, denominator in timeline.metres]
    if timeline.upbeat:
        lines.append(f"# upbeat: {_number(timeline.upbeat)}")
    for name, program, notes in timeline.tracks:
        # JSON escapes what would end a line, but for characters that only Unicode takes for line ends.
        quoted = json.dumps(name, ensure_ascii=not name.isprintable())
        lines.append(f"# track: {quoted}, program {program}, {notes} {'note' if notes == 1 else 'notes'}")
    return lines


def read_timeline(text: str, name: str) -> Timeline | None:
    """The timeline in the comments of a text, None where there is none; other comments are passed over.

    Raises DiffmidiError that names the line of `name` where one of these comments says what cannot be.
    """
    tempos: list[Tempo] = []
    metres: list[MetreChange] = []
    tracks: list[TrackNames] = []
    upbeat, any_line = 0.0, False
    for number, line in enumerate(text.splitlines(), start=1):
        matched = _LINE.fullmatch(line.strip())
        if matched is None:
            continue
        any_line = True
        what, value = matched[1], matched[2].strip()
        form, meant = _FORMS[what]
        try:
            parts = form.fullmatch(value)
            if parts is None:
                raise ValueError
            if what == "tempo":
                tempos.append(Tempo(float(parts[2] or 0), _checked(float(parts[1]))))
            elif what == "metre":
                metres.append(_metre(int(parts[1]), int(parts[2]), float(parts[3] or 0)))
            elif what == "upbeat":
                upbeat = float(parts[1])
            else:
                tracks.append(_track(json.loads(parts[1]), int(parts[2]), int(parts[3])))
        except ValueError:
            raise DiffmidiError(f"{name}, line {number}: '{value}' is no {what}: it is {meant}.") from None
    if not any_line:
        return None
    return Timeline(tuple(_rising(tempos)), tuple(_rising(metres)), upbeat, tuple(tracks))


def _checked(qpm: float) -> float:
    if not _SLOWEST <= qpm <= _FASTEST:
        raise ValueError
    return qpm


def _metre(numerator: int, denominator: int, at: float) -> MetreChange:
    if not 1 <= numerator <= 255 or denominator not in _VALUES:
        raise ValueError
    return MetreChange(at, numerator, denominator)


def _track(name: str, program: int, notes: int) -> TrackNames:
    if program > 127:
        raise ValueError
    return TrackNames(name, program, notes)


def _rising(changes: list[Change]) -> list[Change]:
    """By time; of two at one time the later line counts."""
    return sorted({change.at: change for change in changes}.values(), key=lambda change: change.at)


def _at(at: float) -> str:
    return f" at {_number(at)}" if at else ""


def _number(value: float) -> str:
    """To a 30th of the shortest tick that there is."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _qpm(tempo: Tempo) -> str:
    """The shortest number that is the same tempo in a MIDI file."""
    texts = (f"{tempo.qpm:.{digits}f}" for digits in range(10))
    return next(
        (text for text in texts if float(text) and Tempo(0, float(text)).mspq == tempo.mspq), f"{tempo.qpm:.9f}"
    )
