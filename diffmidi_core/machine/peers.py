"""Peers: a process of several that dies is noticed by the others at once, and none waits for it.

Each holds a connection to the main process for as long as it lives; the operating system ends it with the process,
however that ends. So nothing has to be asked, and nothing times out. Whoever leaves by itself says so before.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

from diffmidi_core.errors import BrokenPluginError, DiffmidiError

GRACE = 3.0
"""Seconds in which a process leaves by itself after another was killed (what they compute together fails then)."""
LEAVING = 30.0
"""The same after another left with an error, which most often all have at about the same time."""
KILLED = -1
"""Stands for no exit code."""
CONNECTING = 20.0
"""Seconds to find the main process in."""


class LostError(DiffmidiError):
    """Another process is gone.

    Args:
        rank: which.
        code: what it left with; None: it was killed.
    """

    def __init__(self, rank: int, code: int | None) -> None:
        how = "was killed, perhaps for want of memory" if code is None else f"left with exit code {code}"
        super().__init__(
            f"rank {rank} {how}, and the others cannot go on without it. What is saved is kept: start all ranks again, "
            "with --resume RUN."
        )
        self.rank, self.code = rank, code


class Peers:
    """This process's connections: the main process's to all others, and every other's to the main one.

    Args:
        rank: which process this is; 0 is the main one.
        connections: rank to connection.
        end: ends this process, given why; for where the main thread does not leave by itself.
    """

    def __init__(self, rank: int, connections: dict[int, socket.socket], end: Callable[[LostError], object]) -> None:
        self.rank, self._connections, self._end = rank, connections, end
        self._known, self._leaving = threading.Event(), threading.Event()
        self._lost: LostError | None = None
        self.thread = threading.Thread(target=self._watch, name="peers", daemon=True)
        self.thread.start()

    def lost(self, within: float) -> LostError | None:
        """Why this process cannot go on, where another is gone; waits for a while to hear of it."""
        self._known.wait(within)
        return self._lost

    def leave(self, code: int) -> None:
        """Tell the others that this process leaves, and how; from here on it ends by itself."""
        if not self._leaving.is_set():
            self._leaving.set()
            self._send(self.rank, code)

    def _watch(self) -> None:
        with selectors.DefaultSelector() as selector:
            for rank, connection in self._connections.items():
                selector.register(connection, selectors.EVENT_READ, rank)
            while selector.get_map():
                for key, _ in selector.select():
                    lost = _heard(_line(self._connections[key.data]), key.data)
                    if lost.code != 0 or self._leaving.is_set():
                        self._tell(lost)
                        return
                    selector.unregister(key.fileobj)

    def _tell(self, lost: LostError) -> None:
        if self._leaving.is_set():
            return
        self._lost = lost
        self._known.set()
        if self.rank == 0:
            self._send(lost.rank, lost.code)
        if not self._leaving.wait(GRACE if lost.code is None else LEAVING):
            self._end(lost)

    def _send(self, rank: int, code: int | None) -> None:
        for connection in self._connections.values():
            with contextlib.suppress(OSError):
                connection.sendall(f"{rank} {KILLED if code is None else code}\n".encode())


def _heard(line: str, other: int) -> LostError:
    """Which process left with which code, as it said; where its connection just ended, it was killed."""
    rank, _, code = line.partition(" ")
    if not (rank.isdecimal() and code.removeprefix("-").isdecimal()):
        return LostError(other, None)
    return LostError(int(rank), None if int(code) == KILLED else int(code))


_peers: Peers | None = None
"""This process's, which it has once, as it has its rank."""
_told: list[Callable[[str], object]] = []
"""Who is told besides the terminal: run.log."""


def join(rank: int, ranks: int, tell_all: Callable[[list[object]], object]) -> None:
    """Connect this process to the main one; every process calls it at the same time, and only the first call counts.

    Where the main process cannot be reached by any port (a firewall), this one does without.

    Args:
        tell_all: gives all processes the main one's list, in place.
    """
    global _peers
    if _peers is not None or ranks == 1:
        return
    # The secret keeps out whoever else finds the port.
    place: list[object] = [None, secrets.token_hex(16)]
    listening = socket.create_server(("", 0), backlog=ranks) if rank == 0 else None
    if listening is not None:
        place[0] = listening.getsockname()[1]
    tell_all(place)
    port, secret = int(str(place[0])), str(place[1])
    connections = {}
    with contextlib.suppress(OSError):
        connections = _accepted(listening, ranks, secret) if listening else {0: _connected(port, rank, secret)}
    _peers = Peers(rank, connections, end)
    atexit.register(lambda: leave(1 if getattr(sys, "last_type", None) else 0))


def leave(code: int) -> None:
    """Tell the other processes that this one leaves, where there are any."""
    if _peers is not None:
        _peers.leave(code)


def cause_of(error: Exception) -> LostError | None:
    """That another process is gone, where that may be what an error came of: an error of ours never is one."""
    if _peers is None or (isinstance(error, DiffmidiError) and not isinstance(error, BrokenPluginError | LostError)):
        return None
    return _peers.lost(GRACE)


def end(error: LostError) -> None:
    """Tell the user, and leave at once: what the processes compute together cannot be waited for, nor ended well.

    What is half-written is swept later. The main process tells, or where it is the one that is gone, every other.
    """
    leave(error.exit_code)
    if error.rank == 0 or int(os.environ.get("RANK", "0")) == 0:
        for tell in _told:
            tell(f"Error: {error}")
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"Error: {error}\n")
            sys.stderr.flush()
    os._exit(error.exit_code)


@contextlib.contextmanager
def telling(tell: Callable[[str], object]) -> Iterator[None]:
    """While it is entered, `tell` is told too why this process ends."""
    _told.append(tell)
    try:
        yield
    finally:
        _told.remove(tell)


def _accepted(listening: socket.socket, ranks: int, secret: str) -> dict[int, socket.socket]:
    """The connections of all others, as far as they come."""
    connections: dict[int, socket.socket] = {}
    until = time.monotonic() + CONNECTING
    with listening, contextlib.suppress(TimeoutError):
        while len(connections) < ranks - 1:
            listening.settimeout(max(0.01, until - time.monotonic()))
            connection, _ = listening.accept()
            connection.settimeout(2.0)
            given, _, number = _line(connection).partition(" ")
            if secrets.compare_digest(given, secret) and number.isdecimal():
                connections[int(number)] = _lasting(connection)
            else:
                connection.close()
    return connections


def _connected(port: int, rank: int, secret: str) -> socket.socket:
    connection = socket.create_connection((os.environ.get("MASTER_ADDR", "127.0.0.1"), port), CONNECTING)
    connection.sendall(f"{secret} {rank}\n".encode())
    return _lasting(connection)


def _line(connection: socket.socket) -> str:
    """What comes until the end of a line; what came until then where the connection ends."""
    heard = b""
    with contextlib.suppress(OSError):
        while not heard.endswith(b"\n") and len(heard) < 100 and (more := connection.recv(1)):
            heard += more
    return heard.decode("ascii", errors="replace").removesuffix("\n")


def _lasting(connection: socket.socket) -> socket.socket:
    """Without a time limit, and asked now and then whether the other machine is there at all."""
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 3), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 2)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection
