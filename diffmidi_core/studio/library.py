"""Library: what a studio's folder holds. All of it lies on disk: a reload or a crash loses nothing."""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import read_json, sweep, whole_file, write_json
from diffmidi_core.music.reading import bytes_of
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.installed import size_of
from diffmidi_core.steer.user_file import UserFile
from diffmidi_core.studio.wanted import Wanted

M = TypeVar("M", bound=BaseModel)
State = Literal["queued", "running", "done", "cancelled", "failed"]
ENDED = ("done", "cancelled", "failed")
MOST_NAME = 200
"""Letters of a piece's name that are kept."""
PARSED = 8
"""Pieces that are kept in memory as notes, which may be 64 MiB large each as files."""
_ID = re.compile(r"[a-z]{1,10}-[0-9]{1,9}", re.ASCII)
_TAKE = re.compile(rf"({_ID.pattern})\.([0-9]{{3,6}})", re.ASCII)


class NotThereError(DiffmidiError):
    """The studio has no piece, draw or take of that address."""


class StoredPiece(BaseModel):
    """pieces/ID/piece.json: what a piece is called and where it came from.

    Attributes:
        parent: the piece before it, which is what undo goes back to.
        take: the take that it is.
        number: which of all that the studio ever had, rising.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    parent: str | None = None
    take: str | None = None
    sha256: str
    number: int
    at: datetime


class StoredDraw(BaseModel):
    """asked/ID.json: what the page asked for, and how it ended; the takes lie in draws/ID as commands leave them."""

    model_config = ConfigDict(frozen=True)

    wanted: Wanted
    command_line: str
    state: State = "queued"
    error: str | None = None
    number: int
    at: datetime


class Library:
    """`FOLDER/{pieces/ID/{piece.mid,piece.json,piece.wav}, asked/ID.json, draws/ID/, studio.json}`.

    An address is made by us alone and holds letters, one hyphen and digits; whatever else asks for one is refused
    before a path is made of it. What is there is never overwritten, and no address is given twice.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pieces_folder, self.draws, self.asked = folder / "pieces", folder / "draws", folder / "asked"
        self._counter = folder / "studio.json"
        self._changing = threading.RLock()
        self._parsed: Callable[[Path, str], UserFile] = lru_cache(PARSED)(_read)

    def open(self) -> None:
        """Make the folder, and take up what is there: what a studio that ended was still at has failed, or is done."""
        for folder in (self.pieces_folder, self.draws, self.asked):
            folder.mkdir(parents=True, exist_ok=True)
        for name in self.draw_ids():
            draw = self.draw(name)
            if draw.state in ENDED:
                continue
            takes = len(self.takes(name))
            if takes >= draw.wanted.candidates:
                self.settle(name, "done")
            else:
                self.settle(name, "failed", f"the studio ended after {takes} of {draw.wanted.candidates} takes.")

    # Pieces

    def add(self, data: bytes, name: str, *, parent: str | None = None, take: str | None = None) -> str:
        """A new piece. Raises RefusedError where it is no MIDI file."""
        UserFile(data, clean(name))
        with self._changing:
            number = self._next()
            address = f"piece-{number}"
            stored = StoredPiece(
                name=clean(name),
                parent=parent,
                take=take,
                sha256=hashlib.sha256(data).hexdigest(),
                number=number,
                at=datetime.now(UTC),
            )
            folder = self.pieces_folder / address
            folder.mkdir()
            with whole_file(folder / "piece.mid") as temporary:
                temporary.write_bytes(data)
            write_json(folder / "piece.json", stored.model_dump(mode="json"))
        return address

    def add_once(self, data: bytes, name: str) -> str:
        """The same, unless that very file is there already, as it came."""
        sha256 = hashlib.sha256(data).hexdigest()
        for address in self.piece_ids():
            piece = self.piece(address)
            if piece.sha256 == sha256 and piece.parent is None and piece.name == clean(name):
                return address
        return self.add(data, name)

    def piece_ids(self) -> list[str]:
        """Every piece, the oldest first."""
        return _sorted(path.parent.name for path in self.pieces_folder.glob("*/piece.json"))

    def piece(self, address: str) -> StoredPiece:
        """What is known of a piece. Raises NotThereError."""
        return _load(StoredPiece, self._piece_folder(address) / "piece.json", f"piece {address}")

    def midi(self, address: str) -> Path:
        """The file of a piece or a take. Raises NotThereError."""
        if match := _TAKE.fullmatch(address):
            path = self.draws / match[1] / f"{match[2]}.mid"
        else:
            path = self._piece_folder(address) / "piece.mid"
        if not path.is_file():
            raise NotThereError(f"the studio has no {address[:40]!r}: it may have been emptied.")
        return path

    def file(self, address: str) -> UserFile:
        """A piece or a take as notes. Raises NotThereError, RefusedError."""
        return self._parsed(self.midi(address), address)

    def undo(self, address: str) -> str | None:
        """The piece before it, as long as that is there."""
        parent = self.piece(address).parent
        return parent if parent is not None and (self.pieces_folder / parent / "piece.json").is_file() else None

    def redo(self, address: str) -> str | None:
        """What was last made of it."""
        children = [each for each in self.piece_ids() if self.piece(each).parent == address]
        return children[-1] if children else None

    def keep(self, take: str, piece: str | None = None) -> str:
        """A take as a new piece behind the one that it was drawn into. Raises NotThereError, DiffmidiError."""
        match = _TAKE.fullmatch(take)
        if match is None:
            raise NotThereError(f"{take[:40]!r} is no take: a take is called as a draw lists it, such as infill-2.001.")
        draw = self.draw(match[1])
        if piece is not None and draw.wanted.piece not in (None, piece):
            raise DiffmidiError(
                f"take {take} was drawn into {draw.wanted.piece}, not into {piece[:40]}: keep it there."
            )
        parent = piece or draw.wanted.piece
        data = bytes_of(self.midi(take))
        known = parent is not None and (self._piece_folder(parent) / "piece.json").is_file()
        name = self.piece(parent).name if known and parent else "new.mid"
        return self.add(data, name, parent=parent, take=take)

    def _piece_folder(self, address: str) -> Path:
        if not _ID.fullmatch(address):
            raise NotThereError(f"{address[:40]!r} is no piece: pieces are called piece-1 and so on.")
        return self.pieces_folder / address

    # Draws

    def ask(self, wanted: Wanted, command_line: str) -> str:
        """Write down what is asked for, before anything is drawn."""
        with self._changing:
            number = self._next()
            address = f"{wanted.command}-{number}"
            self._store(
                address,
                StoredDraw(wanted=wanted, command_line=command_line, number=number, at=datetime.now(UTC)),
            )
        return address

    def draw_ids(self) -> list[str]:
        """Every draw, the oldest first."""
        return _sorted(path.stem for path in self.asked.glob("*.json"))

    def draw(self, address: str) -> StoredDraw:
        """What is known of a draw. Raises NotThereError."""
        if not _ID.fullmatch(address):
            raise NotThereError(f"{address[:40]!r} is no draw: draws are called infill-2 and so on.")
        return _load(StoredDraw, self.asked / f"{address}.json", f"draw {address}")

    def settle(self, address: str, state: State, error: str | None = None) -> None:
        """Write down how a draw stands."""
        with self._changing:
            self._store(address, self.draw(address).model_copy(update={"state": state, "error": error}))
            if state in ENDED and (self.draws / address).is_dir():
                sweep(self.draws / address)

    def takes(self, address: str) -> list[str]:
        """The takes of a draw that came so far."""
        return [f"{address}.{piece.stem}" for piece in DrawFolder(self.draws / address).so_far()]

    def _store(self, address: str, draw: StoredDraw) -> None:
        write_json(self.asked / f"{address}.json", draw.model_dump(mode="json", by_alias=True))

    # The folder

    @property
    def bytes(self) -> int:
        """How large all of it is."""
        return size_of(self.folder)

    def empty(self, open_pieces: Collection[str], busy: Collection[str]) -> None:
        """Remove all pieces but the open ones, and all draws but those that are `busy`, whose pieces stay too."""
        with self._changing:
            kept = {*open_pieces, *(self.draw(address).wanted.piece for address in busy)}
            for address in self.draw_ids():
                if address not in busy:
                    shutil.rmtree(self.draws / address, ignore_errors=True)
                    (self.asked / f"{address}.json").unlink(missing_ok=True)
            for address in self.piece_ids():
                if address not in kept:
                    shutil.rmtree(self.pieces_folder / address, ignore_errors=True)

    def _next(self) -> int:
        last = read_json(self._counter)["last"] if self._counter.exists() else 0
        write_json(self._counter, {"last": last + 1})
        return int(last) + 1


def clean(name: str) -> str:
    """A name that somebody else chose, to be shown: its last part, without what cannot be seen, and not too long."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(letter for letter in last if letter.isprintable()).strip()
    return shown[:MOST_NAME] if shown.strip(".") else "piece.mid"


def _read(path: Path, name: str) -> UserFile:
    return UserFile(bytes_of(path), name)


def _sorted(names: Any) -> list[str]:
    known = [name for name in names if _ID.fullmatch(name)]
    return sorted(known, key=lambda name: int(name.rpartition("-")[2]))


def _load(model: type[M], path: Path, what: str) -> M:
    if not path.is_file():
        raise NotThereError(f"the studio has no {what}: it may have been emptied.")
    try:
        return model.model_validate(read_json(path))
    except ValidationError:
        raise DiffmidiError(f"{path} was not written by this studio: remove it.") from None
