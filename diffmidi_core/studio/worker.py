"""The process that draws: it keeps the model loaded, takes requests as lines of JSON and answers in lines of JSON.

A process of its own, because ending it is the one way to end a computation at once. When the studio is gone, so is it.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.studio.wanted import FROM_NOTHING, Wanted


class Teller:
    """Sends messages, and is the listener that passes on how far a draw is."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def send(self, kind: str, **values: Any) -> None:
        """One line. Where nobody reads it, the process ends."""
        try:
            self.out.write(json.dumps({"kind": kind, **values}) + "\n")
            self.out.flush()
        except OSError:
            os._exit(0)


def main(model: str) -> None:
    """Load the model of this folder, and draw what is asked for until the input ends."""
    # What libraries print must not come between the messages.
    teller = Teller(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    try:
        _opened(model)
    except DiffmidiError as error:
        teller.send("warned", message=str(error))
    teller.send("ready")
    while True:
        job = jobs.get()
        try:
            _draw(model, job, teller)
        except DiffmidiError as error:
            teller.send("failed", error=str(error))
        except MemoryError:
            teller.send("failed", error="the memory is not enough for this: ask for fewer bars.")
        except Exception as error:  # whatever it is, the page shows it and the next request is drawn
            teller.send("failed", error=f"drawing failed ({type(error).__name__}: {error}).")
        else:
            teller.send("done")


def _listen(jobs: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)  # the studio is gone, and nobody wants the rest


@cache
def _opened(model: str) -> Any:
    from diffmidi_core.draw.model import open_model

    return open_model(Path(model))


def _draw(model: str, job: dict[str, Any], teller: Teller) -> None:
    """Draw one request into draws/ID, as the commands do."""
    from diffmidi_core.draw.sample import sample
    from diffmidi_core.hookspecs import hookimpl
    from diffmidi_core.machine.session import Surroundings
    from diffmidi_core.music.reading import bytes_of
    from diffmidi_core.steer.draw import draw_takes
    from diffmidi_core.steer.user_file import UserFile

    class Passing:
        """Tells the studio what happens."""

        @hookimpl
        def progress(self, what: str, done: int, total: int | None) -> None:
            teller.send("progress", done=done, total=total, what=what)

        @hookimpl
        def warned(self, message: str) -> bool:
            teller.send("warned", message=message)
            return True

    class Work(Surroundings):
        """Surroundings with that listener."""

        def _own_listeners(self) -> list[object]:
            return [Passing()]

    wanted = Wanted.of(job["wanted"])
    opened = _opened(model)
    # One take after the other, so that the first can be heard while the others are drawn.
    flags: dict[str, Any] = {"sample.count": wanted.candidates, "sample.batch_size": 1, "seed": wanted.seed}
    if wanted.steps is not None:
        flags["sample.steps"] = wanted.steps
    if wanted.command == FROM_NOTHING:
        flags["sample.length"] = f"{wanted.bars} bars"
    if wanted.want:
        flags["want"] = wanted.want
        flags |= {} if wanted.guidance is None else {"guidance": wanted.guidance}
    request = opened.request(flags)
    work, draws = Work(precision=opened.precision), Path(job["draws"])
    if wanted.command == FROM_NOTHING:
        sample(work, opened, request, draws, name=job["id"])
        return
    asked = wanted.asked(UserFile(bytes_of(Path(job["file"])), job["name"]))
    draw_takes(work, opened, asked, request, draws, command=wanted.command, name=job["id"], renderers=[], alone=False)


if __name__ == "__main__":
    main(sys.argv[1])
