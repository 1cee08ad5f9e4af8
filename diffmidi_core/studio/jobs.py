"""Jobs: what was asked for, one after the other, drawn by the worker; how far it is, and how it is ended."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.studio.library import ENDED, Library, State
from diffmidi_core.studio.wanted import Wanted

MOST_QUEUED = 100
"""Requests that wait at once."""


class Event(NamedTuple):
    """What the page is told of a draw while it is drawn."""

    kind: str
    values: dict[str, Any]


class Jobs:
    """The queue of a studio.

    Args:
        library: where it is all written down.
        model: the folder of the model.
        called: how the user named it.
        command: what starts a worker; tests have one that draws nothing.
    """

    def __init__(self, library: Library, model: Path, called: str, command: list[str] | None = None) -> None:
        self.library, self.called = library, called
        self._command = command or [sys.executable, "-m", "diffmidi_core.studio.worker", str(model)]
        self._queue: deque[str] = deque()
        self._events: dict[str, list[Event]] = {}
        self._running: str | None = None
        self._worker: subprocess.Popen[str] | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Start the worker, which loads its model, and draw what is asked for from then on."""
        self._thread.start()

    def close(self) -> None:
        """End the worker, whatever it is at."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._kill()
            self._changed.notify_all()
        self._thread.join(timeout=10)

    def command_line(self, wanted: Wanted) -> str:
        """The command that draws the same. Raises NotThereError."""
        path = None if wanted.piece is None else self.library.midi(wanted.piece)
        return wanted.command_line(self.called, path)

    def ask(self, wanted: Wanted) -> str:
        """Queue a request, checked as far as that needs no model. Raises UsageError, NotThereError."""
        line = self.command_line(wanted)
        if wanted.piece is not None:
            wanted.asked(self.library.file(wanted.piece))
        with self._changed:
            if len(self._queue) >= MOST_QUEUED:
                raise DiffmidiError(f"{MOST_QUEUED} requests are waiting already: cancel some, or wait.")
            address = self.library.ask(wanted, line)
            self._events[address] = []
            self._queue.append(address)
            self._changed.notify_all()
        return address

    def cancel(self, address: str) -> None:
        """End a draw: one that waits is not begun, one that is drawn stops computing. Its takes so far stay."""
        with self._changed:
            if self.library.draw(address).state in ENDED:
                return
            if address in self._queue:
                self._queue.remove(address)
            self._end(address, "cancelled")
            if address == self._running:
                self._running = None
                self._kill()

    @property
    def busy(self) -> list[str]:
        """The draws that run or wait, in order."""
        with self._changed:
            return [*([self._running] if self._running else []), *self._queue]

    def events(self, address: str) -> list[Event]:
        """What was told of a draw so far; of one of an earlier studio, how it ended. Raises NotThereError."""
        draw = self.library.draw(address)
        if address in self._events:
            return list(self._events[address])
        takes = [Event("take", {"take": take}) for take in self.library.takes(address)]
        return [*takes, _ending(draw.state, draw.error)]

    def progress(self, address: str) -> dict[str, Any]:
        """The last that was told of how far it is."""
        told = [event.values for event in self._events.get(address, []) if event.kind == "progress"]
        return told[-1] if told else {"done": 0, "total": None, "sentence": ""}

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    self._dispose()
                    return
                self._started()  # the model is loaded while nothing is asked
                self._changed.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    continue
                worker = self._started()  # one that died meanwhile is started anew
                address = self._running = self._queue.popleft()
                self.library.settle(address, "running")
            try:
                self._draw(worker, address)
            except DiffmidiError as error:
                self._finish(address, "failed", str(error))

    def _draw(self, worker: subprocess.Popen[str], address: str) -> None:
        wanted = self.library.draw(address).wanted
        job: dict[str, Any] = {
            "id": address,
            "draws": str(self.library.draws),
            "wanted": wanted.model_dump(mode="json", by_alias=True),
        }
        if wanted.piece is not None:
            job |= {"file": str(self.library.midi(wanted.piece)), "name": self.library.piece(wanted.piece).name}
        assert worker.stdin is not None
        assert worker.stdout is not None
        with contextlib.suppress(OSError):  # it is gone, and its output says so
            worker.stdin.write(json.dumps(job) + "\n")
            worker.stdin.flush()
        for line in worker.stdout:
            message = json.loads(line)
            if message["kind"] in ENDED:
                self._finish(address, message["kind"], message.get("error"))
                return
            with self._changed:
                if self._running == address:
                    self._tell(address, message, wanted)
        code = worker.wait()
        self._finish(
            address,
            "failed",
            f"the process that draws ended unexpectedly ({code}), for want of memory perhaps: ask for fewer bars.",
        )

    def _tell(self, address: str, message: dict[str, Any], wanted: Wanted) -> None:
        self._tell_takes(address)
        if message["kind"] == "warned":
            self._events[address].append(Event("warned", {"sentence": message["message"]}))
        if message["kind"] != "progress":
            return
        there = sum(event.kind == "take" for event in self._events[address])
        done, total, what = message["done"], message["total"], message["what"].removesuffix("s")
        of = "" if total is None else f" of {total}"
        values = {
            "done": done if total is None else there * total + done,
            "total": None if total is None else wanted.candidates * total,
            "sentence": f"Take {min(there + 1, wanted.candidates)} of {wanted.candidates}, {what} {done}{of}",
        }
        before = self.progress(address)
        if not before["sentence"] or values["done"] > before["done"]:  # windows of one take tell the same bars again
            self._events[address].append(Event("progress", values))

    def _tell_takes(self, address: str) -> None:
        """The record in the draw's folder says which takes there are."""
        told = {event.values["take"] for event in self._events[address] if event.kind == "take"}
        for take in self.library.takes(address):
            if take not in told:
                self._events[address].append(Event("take", {"take": take}))

    def _finish(self, address: str, state: State, error: str | None) -> None:
        with self._changed:
            # What a closing studio cuts off is settled by the next one, as after a crash.
            if self._running == address and not self._closed:
                self._running = None
                self._end(address, state, error)

    def _end(self, address: str, state: State, error: str | None = None) -> None:
        self._tell_takes(address)
        self.library.settle(address, state, error)
        self._events[address].append(_ending(state, error))

    def _started(self) -> subprocess.Popen[str]:
        """The worker; a new one where there is none that lives. Only our thread calls it, which also reads of it."""
        if self._worker is None or self._worker.poll() is not None:
            self._dispose()
            self._worker = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C is the studio's, which ends it
            )
        return self._worker

    def _kill(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()

    def _dispose(self) -> None:
        for pipe in (self._worker.stdin, self._worker.stdout) if self._worker else ():
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _ending(state: State, error: str | None) -> Event:
    return Event(state, {} if error is None else {"error": error})
