"""hold: one process at a time prepares or trains a run. Drawing from it and judging it stay possible meanwhile."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import write_json
from diffmidi_core.machine.ranks import done_by_main, is_main

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK, HOLDER = ".lock", ".lock.json"
"""The file that is locked, and the one that says who did it."""


class Holder(BaseModel):
    """Who holds a lock: which process on which host, at what, since when, by which command."""

    pid: int
    host: str
    what: str
    since: datetime
    command: str

    def sentence(self) -> str:
        """Who it is, for a message."""
        since = self.since.astimezone().strftime("%Y-%m-%d %H:%M")
        return f"process {self.pid} on {self.host} is at it since {since} ({self.what}: `{self.command}`)"


@contextmanager
def hold(folder: Path, what: str = "train", *, agree: bool = True) -> Iterator[None]:
    """Keep other processes from preparing or training a run while the block runs.

    The operating system's lock: it ends with its process, however that ends. Within one process, blocks may be nested.
    Of several processes that work together, the main one holds it for all. They `agree` whether it does, which needs
    torch; without that the others begin their work whatever becomes of it. Raises DiffmidiError that says who holds it.
    """
    from filelock import FileLock

    lock = FileLock(folder / LOCK, is_singleton=True)
    if agree:
        done_by_main(lambda: _acquire(lock, folder, what))
    elif is_main():
        _acquire(lock, folder, what)
    try:
        yield
    finally:
        if is_main():
            if lock.lock_counter == 1:
                (folder / HOLDER).unlink(missing_ok=True)
            lock.release()


def _acquire(lock: BaseFileLock, folder: Path, what: str) -> None:
    from filelock import Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise DiffmidiError(f"{folder} is in use: {_who(folder)}. Wait until that has ended, or stop it.") from None
    except OSError as error:
        raise DiffmidiError(f"{folder / LOCK} cannot be locked: {error.strerror or error}.") from error
    if lock.lock_counter > 1:
        return
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    holder = Holder(pid=os.getpid(), host=socket.gethostname(), what=what, since=datetime.now(), command=command)
    try:
        write_json(folder / HOLDER, holder.model_dump(mode="json"))
    except DiffmidiError:
        lock.release()
        raise


def _who(folder: Path) -> str:
    try:
        return Holder.model_validate_json((folder / HOLDER).read_bytes()).sentence()
    except (OSError, ValidationError):
        return "another process is at it"
