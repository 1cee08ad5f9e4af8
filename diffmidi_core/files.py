"""Files that are there whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffmidi_core.errors import DiffmidiError, UnreadableError

_LEFT = (".writing-", ".removing-")
"""How the names begin of what is being written or removed."""

MOST_JSON = 2**30
"""Bytes of a JSON file that is read: none of ours comes near, and one that pretends to would fill the memory."""

WINDOWS = os.name == "nt"
"""Windows flushes only what may be written, knows no flushing of folders, and renames nothing over what is open."""
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between attempts to rename where another program, a virus scanner for one, has the file open for a moment."""


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, with the same suffix; renamed to `path` when the block ends well.

    Raises DiffmidiError with the system's reason (disk full, no permission) where it cannot be written; nothing is
    left behind then.
    """
    with _said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            _sync(temporary)
            rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path, inside: Path | None = None) -> Iterator[Path]:
    """The same for a folder; one that already stands at `path` is replaced.

    The temporary one lies beside `path`, or `inside` a folder of the same file system that is removed some time, with
    what a killed process leaves in it.
    """
    with _said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if inside is not None:
            inside.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=inside or path.parent))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            for file in temporary.rglob("*"):
                if file.is_file():
                    file.chmod(0o666 & ~_umask())  # safetensors writes files that no one else may read
                _sync(file)
            if path.exists():
                old = Path(tempfile.mkdtemp(prefix=".removing-", dir=path.parent))
                rename(path, old / path.name)
                rename(temporary, path)
                shutil.rmtree(old, ignore_errors=True)
            else:
                rename(temporary, path)
            _sync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def sweep(folder: Path, *, older: float = 0.0) -> None:
    """Remove what killed processes left half-written or half-removed in a folder.

    `older` spares what was changed less than so many seconds ago, where another process may be writing now.
    """
    for start in _LEFT:
        for path in folder.glob(f"{start}*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime < older:
                    continue
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def rename(source: Path, target: Path) -> None:
    """Rename a file, over another where there is one, or a folder. On Windows what is open now may be closed soon.

    Raises OSError where that does not help: PermissionError on Windows where the one or the other stays open.
    """
    for pause in _PAUSES if WINDOWS else ():
        try:
            os.replace(source, target)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    os.replace(source, target)


def partial_of(path: Path) -> Path:
    """Where work that may be stopped, and go on later, keeps its parts until the whole stands at `path`."""
    return path.with_name(f"{path.name}.partial")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, whole or not at all."""
    with whole_file(path) as temporary:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        # A path may hold bytes that are no text; as \udcXX escapes JSON keeps them through the round trip.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def read_json(path: Path) -> Any:
    """Read JSON. Raises DiffmidiError where the file is missing or damaged; UnreadableError where reading is denied."""
    try:
        check_regular(path, most=MOST_JSON)
        return json.loads(path.read_text(encoding="utf-8"), parse_float=_finite, parse_constant=_finite)
    except FileNotFoundError:
        raise DiffmidiError(f"there is no {path}.") from None
    except PermissionError:
        raise may_not_be_read(path) from None
    except OSError as error:
        raise DiffmidiError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise DiffmidiError(f"{path} is not valid JSON: {error}.") from error
    except RecursionError:
        raise DiffmidiError(f"{path} is not JSON that diffmidi wrote: it is nested too deeply.") from None


def _finite(text: str) -> float:
    """What JSON cannot hold, and Python would read: NaN, Infinity, and a number that is as large."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no number of JSON")
    return value


def check_regular(path: Path, *, most: int | None = None) -> None:
    """Raises OSError, before anything is opened, for a pipe or a device, which may never end, and for a file of more
    than `most` bytes; and what the system says where the file is missing or may not be looked at.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(None, "it is a pipe or a device, not a file")
    if most is not None and status.st_size > most:
        raise OSError(None, f"it has {status.st_size:,} bytes, and no such file has more than {most:,}")


def may_not_be_read(path: Path | str) -> UnreadableError:
    """The error for a file or folder that the system does not let us read: there is nothing wrong with the file."""
    return UnreadableError(f"{path} may not be read: permission denied. Change its permissions, or ask its owner to.")


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiffmidiError(f"{path} cannot be written: {error.strerror or error}.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    if WINDOWS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
