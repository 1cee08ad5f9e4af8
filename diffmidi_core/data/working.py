"""Getting all shards made: what is there already is kept, the rest is shared out over processes and over ranks.

Ranks and nodes never talk to each other, they look at files: each makes its own shards, then helps with those that are
still missing, so that one that is slow holds nobody up, and nothing has to be waited for but the folder of the result.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.heartbeat import beating
from diffmidi_core.data.shards import SIZE, make_shard
from diffmidi_core.errors import DiffmidiError, StoppedError
from diffmidi_core.files import read_json, write_json

Make = Callable[[], tuple[Source, Tokenizer]]
"""Makes the source and the tokenizer anew in another process; can be pickled."""

STARTING = 2.0
"""Seconds until new processes read their first piece, the imports of the slowest tokenizer among them."""
_CHECK_EVERY = 0.1
"""Seconds between checks whether to stop, and between reports of progress."""
_STALE_AFTER = 60.0
"""Seconds after which a failure that an earlier attempt may have left is taken for one of this attempt."""


@dataclass
class Place:
    """Where a rank works: a folder that every rank sees, with the shards and the errors of ranks that failed."""

    folder: Path
    rank: int = 0
    ranks: int = 1
    _begun: float = field(default_factory=time.monotonic)
    _left_over: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._failure(self.rank).unlink(missing_ok=True)
        self._left_over = {path: path.stat().st_mtime_ns for path in self._failures()}

    def shard(self, number: int) -> Path:
        """The file of a shard."""
        return self.folder / f"shard-{number:06d}.arrow"

    def order(self, count: int) -> list[int]:
        """Which shards to make: first this rank's own, then, from their ends, those of the ranks after it."""
        shares = [list(range((self.rank + step) % self.ranks, count, self.ranks)) for step in range(self.ranks)]
        return shares[0] + [number for share in shares[1:] for number in reversed(share)]

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Leave a note for the other ranks where this one fails, and the first one's signs of life until then."""
        try:
            with beating(self.alive) if self.ranks > 1 and self.rank == 0 else contextlib.nullcontext():
                yield
        except DiffmidiError as error:
            if self.ranks > 1 and not isinstance(error, OtherRankError):
                write_json(self._failure(self.rank), {"sentence": str(error), "exit_code": error.exit_code})
            raise

    def check(self) -> None:
        """Raise the error of another rank that failed."""
        if self.ranks == 1:
            return
        late = time.monotonic() - self._begun > _STALE_AFTER
        for path in self._failures():
            try:
                old = self._left_over.get(path) == path.stat().st_mtime_ns
                failure = read_json(path)
            except (DiffmidiError, OSError):
                continue  # its rank has begun again
            if late or not old:
                raise OtherRankError(f"rank {path.stem}: {failure['sentence']}", failure["exit_code"])

    @property
    def alive(self) -> Path:
        """What the first rank touches."""
        return self.folder / "alive"

    def _failure(self, rank: int) -> Path:
        return self.folder / "failed" / f"{rank}.json"

    def _failures(self) -> list[Path]:
        return sorted(self.folder.glob("failed/*.json")) if self.ranks > 1 else []


class OtherRankError(DiffmidiError):
    """Another rank failed; its message says why."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass
class Work:
    """All pieces of a source, to be made into shards at a place.

    Args:
        measured: the share of the pieces whose round trip is measured.
        tell: told how many pieces are done, ten times a second at most.
        stop: whether the user asked to stop.
        over: whether there is nothing left to do, though shards are missing: the result is there.
    """

    pieces: Sequence[Piece]
    place: Place
    measured: float
    tell: Callable[[int], None]
    stop: Callable[[], bool]
    over: Callable[[], bool]
    done: int = 0
    _checked: float = field(default_factory=time.monotonic)

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-len(self.pieces) // SIZE)

    def missing(self) -> Iterator[int]:
        """Shards that nobody has made when their turn comes."""
        self.done = 0
        for number in self.place.order(self.shards):
            if self.over():
                return
            if self.place.shard(number).exists():
                self.done += len(self.of(number))
            else:
                yield number

    def of(self, number: int) -> Sequence[Piece]:
        """The pieces of a shard."""
        return self.pieces[number * SIZE : (number + 1) * SIZE]

    def check_in(self, more: int = 0) -> None:
        """Report progress, `more` pieces being done in a shard that is not; leave where that was asked for."""
        now = time.monotonic()
        if now - self._checked < _CHECK_EVERY:
            return
        self._checked = now
        self.tell(self.done + more)
        self.place.check()
        if self.stop():
            raise StoppedError(f"Stopped at piece {self.done + more:,} of {len(self.pieces):,}; what is done is kept.")


def work_on(work: Work, source: Source, tokenizer: Tokenizer, *, make: Make | None, workers: int) -> None:
    """Make all missing shards, in `workers` processes; 0: in this one, or in more where the first shard says so."""
    if make is not None and not workers:
        begun = time.monotonic()
        work_alone(work, source, tokenizer, most=1)
        # The other ranks make their share meanwhile.
        left = -(-sum(not work.place.shard(number).exists() for number in range(work.shards)) // work.place.ranks)
        workers = automatic_workers(left, time.monotonic() - begun)
    if make is None or workers == 1:
        work_alone(work, source, tokenizer)
    else:
        work_together(work, make, workers)


def work_alone(work: Work, source: Source, tokenizer: Tokenizer, *, most: int | None = None) -> None:
    """Make all missing shards in this process, or `most` of them."""
    for number in itertools.islice(work.missing(), most):
        pieces = work.of(number)
        shard = make_shard(source, tokenizer, pieces, number * SIZE, measured=work.measured, tick=work.check_in)
        shard.write(work.place.shard(number))
        work.done += len(pieces)


def work_together(work: Work, make: Make, workers: int) -> None:
    """Make all missing shards in `workers` new processes, which know the parts by what `make` makes."""
    context = multiprocessing.get_context("spawn")
    running: dict[Future[None], int] = {}
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(make, work.measured))
    try:
        for number in work.missing():
            # A Ctrl-C goes to every process of the terminal; new ones inherit that it is not theirs.
            with _deaf():
                future = pool.submit(_make, work.of(number), number * SIZE, work.place.shard(number))
            running[future] = len(work.of(number))
            while len(running) >= 2 * workers:
                _collect(work, running)
        while running:
            _collect(work, running)
    except BrokenProcessPool:
        raise DiffmidiError(
            "a process that prepared pieces was killed, perhaps for want of memory; what is done is kept: "
            "give the same command again, with -o prepare.workers=1 if it happens again."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(work: Work, running: dict[Future[None], int]) -> None:
    finished, _ = wait(running, timeout=_CHECK_EVERY, return_when=FIRST_COMPLETED)
    for future in finished:
        work.done += running.pop(future)
        future.result()
    work.check_in()


def automatic_workers(shards: int, seconds: float) -> int:
    """How many processes make so many shards soonest, of which one takes this one so many seconds."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    workers = max(1, min(usable // here, shards))
    return workers if shards * seconds > STARTING + -(-shards // workers) * seconds else 1


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker:
    """What a worker process keeps between shards."""

    make: Make
    measured: float
    parts: tuple[Source, Tokenizer] | None = None


def _begin(make: Make, measured: float) -> None:
    _Worker.make, _Worker.measured = staticmethod(make), measured
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _make(pieces: Sequence[Piece], first: int, path: Path) -> None:
    if _Worker.parts is None:
        _Worker.parts = _Worker.make()
    make_shard(*_Worker.parts, pieces, first, measured=_Worker.measured).write(path)
