"""DrawFolder: one request to a model, and the pieces that came of it. Light: no torch is needed to read one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from diffmidi_core import __version__
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.files import MOST_JSON, check_regular, read_json, sweep, whole_file, write_json
from diffmidi_core.request import Request
from diffmidi_core.saved.takes import Edit as Edit
from diffmidi_core.saved.takes import Rank as Rank

SAMPLE = "sample"
"""The command that draws what begins from no file."""
WHILE_TRAINING = "step-"
"""How the names of draws begin that training makes by itself; they are never the default of anything."""
_NAME = re.compile(r"[\w][\w.-]*")


class ModelReference(BaseModel):
    """Which model was asked: where it lies, the iteration of its weights, and what names these."""

    model_config = ConfigDict(frozen=True)

    path: str
    step: int
    fingerprint: str


class StoredRequest(BaseModel):
    """request.json: what was asked, of what, when, and what it was to be computed in; `edit` where it was of a file."""

    model_config = ConfigDict(frozen=True)

    diffmidi: str = __version__
    at: datetime
    model: ModelReference
    request: Request
    precision: str = "auto"
    edit: Edit | None = None

    @property
    def command(self) -> str:
        """The command that drew."""
        return SAMPLE if self.edit is None else self.edit.command


class Outcome(BaseModel):
    """A label of a piece: what was asked and what was obtained, None where nothing was, or where it has no value.

    Attributes:
        asked_bin, obtained_bin: the numbers of the bins, where the values of the label have an order.
    """

    model_config = ConfigDict(frozen=True)

    asked: str | None = None
    obtained: str | None = None
    asked_bin: int | None = None
    obtained_bin: int | None = None


class PieceRecord(BaseModel):
    """A line of record.jsonl: one piece that was drawn.

    Attributes:
        number: from 1 on, as its files are called.
        labels: what was asked of it and what it has, by the labels that the model knows.
        tokens: the piece, without specials.
        notes: how many notes they make.
        record: whole numbers that tell how it came about: `seam_1`, ... (tokens before a join of two windows),
            `short` (1: it did not get as far as was asked), and what the sampler tells.
        losses: what each control that judges music says of it, by name; 0 where the rule is kept.
        rank: where several takes were ranked: numbers then count from the best one.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    notes: int
    record: dict[str, int]
    losses: dict[str, float] = {}
    labels: dict[str, Outcome] = {}
    rank: Rank | None = None
    tokens: list[str]

    @property
    def told(self) -> dict[str, int]:
        """`record`, and of each label that was asked and measured, `obeyed_NAME`: 1 or 0, and where its values have an
        order `asked_NAME` and `obtained_NAME`, the numbers of its bins. What metrics are given.
        """
        told = dict(self.record)
        for name, label in self.labels.items():
            if label.asked is not None and label.obtained is not None:
                told[f"obeyed_{name}"] = int(label.asked == label.obtained)
                if label.asked_bin is not None and label.obtained_bin is not None:
                    told |= {f"asked_{name}": label.asked_bin, f"obtained_{name}": label.obtained_bin}
        return told

    @property
    def stem(self) -> str:
        """What the names of its files begin with."""
        return f"{self.number:03d}"


class DrawFolder:
    """`draws/NAME/{request.json, record.jsonl, 001.mid, 001.wav, ..., figures.json}`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.request_file = path / "request.json"
        self.record_file = path / "record.jsonl"
        self.figures_file = path / "figures.json"

    @classmethod
    def claim(cls, draws: Path, name: str | None = None) -> DrawFolder:
        """A new folder below `draws`: of that name, or of the next number. Taken by making it: no two have the same.

        Raises UsageError for a name that is taken, or cannot be one.
        """
        if name is not None:
            if not _NAME.fullmatch(name) or name.isdecimal() or name.startswith(WHILE_TRAINING):
                raise UsageError(
                    f"--name {name!r}: a draw's name is of letters, digits, '.', '_' and '-', is no number (draws "
                    f"without a name count up) and does not begin with {WHILE_TRAINING} (draws of training do)."
                )
            if not _made(draws / name):
                raise UsageError(f"there is a draw {draws / name} already: choose another --name.")
            return cls(draws / name)
        taken = [int(path.name) for path in draws.glob("*") if path.name.isdecimal()]
        number = max(taken, default=0) + 1
        while not _made(draws / str(number)):
            number += 1
        return cls(draws / str(number))

    @classmethod
    def choose(cls, draws: Path, name: str | None, otherwise: str) -> DrawFolder:
        """The draw of a name; by default the newest that somebody asked for. DiffmidiError where there is none."""
        if name is not None:
            draw = cls(draws / name)
            if not draw.request_file.is_file():
                known = ", ".join(draw.path.name for draw in cls.all(draws)) or "none"
                raise DiffmidiError(f"there is no draw {name!r} in {draws}. There are: {known}.")
            return draw
        asked = [draw for draw in cls.all(draws) if not draw.while_training]
        if not asked:
            raise DiffmidiError(f"nothing has been drawn yet in {draws}: {otherwise}.")
        return asked[0]

    @classmethod
    def unfinished(cls, draws: Path, name: str | None = None, command: str = SAMPLE) -> DrawFolder:
        """The draw of a command to go on with: that of a name, or the newest that is not complete, or the newest where
        all are.

        DiffmidiError where there is none.
        """
        if name is not None:
            draw = cls.choose(draws, name, "")
            if (other := draw.request().command) != command:
                raise DiffmidiError(f"{draw.path} was drawn by `diffmidi {other}`: go on with it by that command.")
            return draw
        own = [draw for draw in cls.all(draws) if not draw.while_training and draw.request().command == command]
        if not own:
            raise DiffmidiError(
                f"nothing has been drawn yet in {draws} by `diffmidi {command}`: there is nothing to go on with, so "
                "leave out --resume."
            )
        return next((draw for draw in own if not draw.is_complete), own[0])

    @classmethod
    def all(cls, draws: Path) -> list[DrawFolder]:
        """Every draw that was begun, the newest first; those whose request cannot be read are left out."""
        dated = []
        for path in draws.glob("*/request.json"):
            draw = cls(path.parent)
            try:
                dated.append((draw.request().at, draw.path.name, draw))
            except DiffmidiError:
                continue
        return [draw for _, _, draw in sorted(dated, key=lambda entry: entry[:2], reverse=True)]

    @property
    def while_training(self) -> bool:
        """Whether training drew it by itself, and nobody asked for it."""
        return self.path.name.startswith(WHILE_TRAINING)

    @property
    def run(self) -> Path | None:
        """The folder of the run that it lies in; None where it lies in a working folder."""
        above = self.path.parent.parent
        is_run = (above / "config.json").is_file() and (above / "checkpoints").is_dir()
        return above if self.path.parent.name == "draws" and is_run else None

    def begin(self, model: ModelReference, request: Request, precision: str = "auto", edit: Edit | None = None) -> None:
        """Write down what is asked. The record is there before any piece is, so that the folder is known for a draw."""
        self._append("")
        stored = StoredRequest(at=datetime.now(UTC), model=model, request=request, precision=precision, edit=edit)
        write_json(self.request_file, stored.model_dump(mode="json"))

    def add(self, piece: PieceRecord) -> None:
        """Append a piece to the record."""
        self._append(piece.model_dump_json() + "\n")

    def _append(self, text: str) -> None:
        try:
            with self.record_file.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise DiffmidiError(f"{self.record_file} cannot be written: {error.strerror or error}.") from error

    def request(self) -> StoredRequest:
        """What was asked. Raises DiffmidiError where that cannot be read."""
        try:
            return StoredRequest.model_validate(read_json(self.request_file))
        except ValidationError as error:
            raise DiffmidiError(f"{self.request_file} is not the request of a draw ({_first(error)}).") from None

    def pieces(self) -> list[PieceRecord]:
        """The pieces that came so far. Raises DiffmidiError where there is none, or where the record is damaged."""
        records = self.so_far()
        if not records:
            edit = self.request().edit
            again = f"sample {self.run or 'MODEL'}" if edit is None else f"{edit.command} {edit.file} --model MODEL"
            raise DiffmidiError(
                f"there is no piece in {self.path}: its drawing was stopped before the first was done. Go on by "
                f"`diffmidi {again} --resume --name {self.path.name}`."
            )
        return records

    def so_far(self) -> list[PieceRecord]:
        """The same, and none where none came. A line that a killed process left half-written is no piece."""
        try:
            check_regular(self.record_file, most=MOST_JSON)
            lines = self.record_file.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            lines = [""]
        except OSError as error:
            raise DiffmidiError(f"{self.record_file} cannot be read: {error.strerror or error}.") from error
        except UnicodeDecodeError as error:
            raise DiffmidiError(f"{self.record_file} cannot be read: {error}.") from error
        records = []
        for number, line in enumerate(lines[:-1], start=1):
            try:
                records.append(PieceRecord.model_validate_json(line))
            except ValidationError as error:
                raise DiffmidiError(f"{self.record_file}, line {number}: not a piece ({_first(error)}).") from None
        return records

    @property
    def is_complete(self) -> bool:
        """Whether all pieces came that were asked for, and takes of a file are ranked."""
        pieces, stored = self.so_far(), self.request()
        unranked = stored.edit is not None and stored.request.count > 1 and any(each.rank is None for each in pieces)
        return len(pieces) >= stored.request.count and not unranked

    def in_order(self) -> list[PieceRecord]:
        """The pieces that came so far, none perhaps. Raises DiffmidiError unless they are the first ones, in order."""
        records = self.so_far()
        if [piece.number for piece in records] != list(range(1, len(records) + 1)):
            raise DiffmidiError(
                f"{self.record_file} does not hold the first {len(records)} pieces in their order, so that drawing "
                "cannot go on after them: draw anew, without --resume."
            )
        return records

    def replace(self, pieces: Sequence[PieceRecord]) -> None:
        """Write the record anew, whole or not at all."""
        with whole_file(self.record_file) as temporary:
            temporary.write_text("".join(piece.model_dump_json() + "\n" for piece in pieces), encoding="utf-8")

    def take_up(self) -> list[PieceRecord]:
        """The same, to go on after them: what a killed process left half-written is removed."""
        records = self.in_order()
        sweep(self.path)
        written = self.record_file.read_bytes() if self.record_file.exists() else b""
        if not written.endswith(b"\n") and written:
            with whole_file(self.record_file) as temporary:
                temporary.write_bytes(written[: written.rfind(b"\n") + 1])
        return records

    def files(self, pieces: Sequence[PieceRecord], suffix: str) -> list[Path]:
        """The files of pieces that end in `suffix`, as far as they are there."""
        paths = [self.path / f"{piece.stem}{suffix}" for piece in pieces]
        return [path for path in paths if path.is_file()]

    def figures(self) -> Mapping[str, Any]:
        """What `evaluate` found; nothing where it has not run."""
        figures = read_json(self.figures_file) if self.figures_file.exists() else {}
        if not isinstance(figures, Mapping):
            raise DiffmidiError(f"{self.figures_file} does not hold one JSON object: it was not written by diffmidi.")
        return figures


def _made(path: Path) -> bool:
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise DiffmidiError(f"{path} cannot be written: {error.strerror or error}.") from error
    return True


def _first(error: ValidationError) -> str:
    mistake = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, mistake['loc'])) or 'all of it'}: {mistake['msg'].lower()}"
