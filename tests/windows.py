"""The rules of Windows's file system, laid over this one, so that a program that breaks them fails here too.

Windows flushes a file only through a handle that may write (EBADF else), opens no folder (EACCES), and neither renames
nor removes a file that is open or mapped, a folder that holds one, nor anything onto a folder that exists (EACCES).
What is open is read off /proc.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diffmidi_core import files

HERE = Path("/proc/self")


def open_files() -> set[Path]:
    """Every file that this process has open or mapped."""
    found = set()
    for handle in (HERE / "fd").iterdir():
        try:
            found.add(Path(os.readlink(handle)))
        except FileNotFoundError:
            continue
    mapped = (line.split(maxsplit=5) for line in (HERE / "maps").read_text(errors="replace").splitlines())
    return {*found, *(Path(columns[5]) for columns in mapped if len(columns) > 5)}


def _refuse(path: object) -> None:
    raise PermissionError(errno.EACCES, "Access is denied", str(path))


def _check_closed(path: str | os.PathLike[str]) -> None:
    real = Path(os.path.realpath(path))
    if any(each == real or real in each.parents for each in open_files() if not each.is_dir()):
        _refuse(path)


@pytest.fixture
def windows() -> Iterator[None]:
    """Under these rules."""
    if not HERE.is_dir():
        pytest.skip("what is open can only be seen in /proc")
    import fcntl

    opened, synced, replaced, unlinked = os.open, os.fsync, os.replace, os.unlink

    def at_home() -> bool:
        """Whether one asks that does otherwise on Windows: tempfile, of pytest's capture among others, and filelock."""
        return sys._getframe(2).f_globals["__name__"].partition(".")[0] in ("tempfile", "filelock")

    def open_(path, flags, *rest, **named):
        if os.path.isdir(path) and not at_home():
            _refuse(path)
        return opened(path, flags, *rest, **named)

    def fsync(handle):
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        synced(handle)

    def replace(source, target, **named):
        _check_closed(source)
        if os.path.exists(target):
            _check_closed(target)
        if os.path.isdir(target):
            _refuse(target)
        replaced(source, target, **named)

    def unlink(path, **named):
        if not at_home():
            _check_closed(path)
        unlinked(path, **named)

    with pytest.MonkeyPatch.context() as monkeypatch:
        # As on Windows, shutil.rmtree goes by names, not by handles of folders.
        monkeypatch.setattr(shutil, "_use_fd_functions", False)
        monkeypatch.setattr(files, "WINDOWS", True)
        monkeypatch.setattr(files, "_PAUSES", (0.0,) * 3)
        for name, rule in (("open", open_), ("fsync", fsync), ("replace", replace), ("unlink", unlink)):
            monkeypatch.setattr(os, name, rule)
        yield
