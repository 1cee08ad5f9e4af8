"""What a command that is interrupted says: how far it came, and where that is. (Training says it itself.)"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.machine.stop import interruptible
from diffmidi_core.numbers import counted
from diffmidi_core.saved.draw import DrawFolder


@contextmanager
def drawing(draws: Path) -> Iterator[None]:
    """Around drawing into a folder below `draws`: Ctrl-C and its like leave with what was drawn until then."""
    before = _drawn(draws)

    def sentence() -> str:
        now = _drawn(draws)
        grown = [draw for draw in now if now[draw] > before.get(draw, 0)]
        if not grown:
            return "Stopped before a piece was drawn; nothing else was changed."
        draw = DrawFolder(grown[0])
        done, asked = now[draw.path], draw.request().request.count
        if done >= asked:
            return f"Stopped; all {counted(done, 'piece')} are in {draw.path}, as MIDI files."
        return f"Stopped after {done:,} of {counted(asked, 'piece')}, which {_are(done)} whole in {draw.path}."

    with interruptible(sentence):
        yield


@contextmanager
def judging(*files: Path) -> Iterator[None]:
    """Around measuring figures into files (patterns are taken): Ctrl-C and its like leave with those that stand."""
    before = _written(files)

    def sentence() -> str:
        now = _written(files)
        new = [path for path in now if now[path] != before.get(path)]
        if not new:
            return "Stopped before all figures of it were measured, so none was written; what was there stays."
        return f"Stopped; the figures in {' and '.join(map(str, new))} are whole, and the others were not written."

    with interruptible(sentence):
        yield


def _drawn(draws: Path) -> dict[Path, int]:
    """How many pieces each draw holds, the newest draw first."""
    counts = {}
    for draw in DrawFolder.all(draws):
        try:
            counts[draw.path] = len(draw.pieces())
        except DiffmidiError:
            counts[draw.path] = 0
    return counts


def _written(patterns: tuple[Path, ...]) -> dict[Path, int]:
    found = (path for pattern in patterns for path in sorted(pattern.parent.glob(pattern.name)))
    return {path: path.stat().st_mtime_ns for path in found}


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
