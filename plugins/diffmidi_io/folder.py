"""folder: every MIDI file below a directory, or one file."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from unicodedata import normalize

from diffmidi.api import DiffmidiError, RefusedError, UsageError
from diffmidi.api.source import Piece, Score, Source, printable, read_midi_counted
from diffmidi_io.declarations import FolderOptions

SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
_APPLE_DOUBLE = "._"
"""How macOS names the file that holds the attributes of another one."""

_MARKS = (
    {"config.json", "data"},
    {"config.json", "checkpoints"},
    {"config.json", "model.safetensors"},
    {"request.json", "record.jsonl"},
)
"""What a folder holds that is a run of ours, a model that was exported (with a sample of its music), or a draw."""
_OURS = {"config.json", "request.json"}


class Folder(Source):
    """MIDI files, recursively; ids are their paths inside the folder, with `/`, in sorted order.

    Links to files are followed, links to directories are not: they may lead back up. What is met and cannot be read,
    a directory without permission among it, is still a piece, which `read` refuses: it is counted, not passed over.
    Runs, exported models and draws of ours are left out, unless one is named itself.
    """

    options: FolderOptions

    def pieces(self) -> Iterator[Piece]:
        """Every file with a MIDI suffix, in any case. Raises DiffmidiError where there is none."""
        data = self._data
        if self._one_file:
            yield Piece(data.name)
            return
        if not os.path.isdir(data):
            found = "is neither a folder nor a file" if os.path.lexists(data) else "does not exist"
            raise DiffmidiError(f"--data {printable(data)} {found}: give a folder of MIDI files, or one MIDI file.")
        names = sorted(name for name in _walk(data, hidden=self.options.hidden) if self._wanted(name))
        if not names:
            matching = "" if self.options.pattern == "*" else f" that match '{self.options.pattern}'"
            raise DiffmidiError(f"there are no {', '.join(SUFFIXES)} files{matching} in {printable(data)} or below it.")
        for name in names:
            yield Piece(name)

    def read(self, piece: Piece) -> Score:
        """The file as a score. Raises RefusedError."""
        return self.read_counted(piece)[0]

    def read_counted(self, piece: Piece) -> tuple[Score, Mapping[str, int]]:
        """The file as a score, and what was counted as it was read. Raises RefusedError."""
        path = self._path(piece)
        if piece.id.endswith("/"):
            raise RefusedError("unreadable", f"the folder {printable(path)} may not be read: permission denied.")
        return read_midi_counted(path)

    def stamp(self, piece: Piece) -> str:
        """Its size and when it was last written."""
        try:
            status = os.stat(self._path(piece))
        except OSError:
            return ""
        return f"{status.st_size} {status.st_mtime_ns}"

    def digest(self, piece: Piece) -> bytes:
        """BLAKE2 of the file."""
        try:
            with self._path(piece).open("rb") as file:
                return hashlib.file_digest(file, "blake2b").digest()
        except OSError:
            return b""

    def _path(self, piece: Piece) -> Path:
        return self._data if self._one_file else Path(os.path.join(self._data, piece.id))

    @cached_property
    def _one_file(self) -> bool:
        return os.path.isfile(self._data)

    @cached_property
    def _data(self) -> Path:
        if self.data is None:
            raise UsageError("the source 'folder' needs to know where the music is: give --data FOLDER.")
        return Path(self.data).expanduser()

    def _wanted(self, name: str) -> bool:
        # macOS writes an accent as a character of its own, and keyboards one with its letter.
        return name.endswith("/") or fnmatch.fnmatchcase(normalize("NFC", name), normalize("NFC", self.options.pattern))


def _walk(top: Path, *, hidden: bool) -> Iterator[str]:
    """Paths below `top` of MIDI files, and, ending in "/", of directories that cannot be listed."""
    denied: list[OSError] = []
    for folder, below, files in os.walk(top, onerror=denied.append):
        if Path(folder) != top and _OURS & {*below, *files} and any(marks <= {*below, *files} for marks in _MARKS):
            below.clear()  # music that diffmidi drew must not become music it learns from
            continue
        path = Path(folder).relative_to(top).as_posix()
        inside = "" if path == "." else f"{path}/"
        if not hidden:
            below[:] = [name for name in below if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith(_APPLE_DOUBLE if hidden else "."):
                yield inside + name
    for error in denied:
        yield Path(os.fsdecode(error.filename)).relative_to(top).as_posix() + "/"
