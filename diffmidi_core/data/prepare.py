"""prepare: from the pieces of a source to a token dataset, whole or not at all, and on from where it was stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from diffmidi_core import __version__
from diffmidi_core.checksums import digests
from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.given_labels import GivenLabels
from diffmidi_core.data.groups import group_of
from diffmidi_core.data.heartbeat import Watch
from diffmidi_core.data.merging import Merging
from diffmidi_core.data.pieces import Pieces
from diffmidi_core.data.report import REPORT, TOKENS, Report, read_report
from diffmidi_core.data.working import Make, Place, Work, work_on
from diffmidi_core.errors import DiffmidiError, StoppedError
from diffmidi_core.files import partial_of, read_json, whole_folder, write_json
from diffmidi_core.hooks import Hooks

__all__ = ["REPORT", "TOKENIZER", "TOKENS", "Choices", "Report", "Running", "prepare"]

TOKENIZER = "tokenizer"
MEASURED = 64
"""Pieces whose round trip is measured, of a larger source."""
_CHECK_EVERY = 0.2


@dataclass(frozen=True)
class Choices:
    """What becomes of the pieces, beside the tokens: what is kept, on which side of the split, under which labels.

    Attributes:
        heldout, test: shares of the pieces held out to watch training by, and kept to judge the model by.
        near_duplicates: versions of one piece stay on one side of the split ("group"), all but the first are left out
            ("drop"), or they are taken for different pieces ("ignore").
        group: names groups of pieces that stay on one side as well: "folder", or a column of the labels.
        labels: a CSV file of labels to lay over the measured ones.
    """

    heldout: float
    test: float = 0.0
    near_duplicates: str = "group"
    group: str | None = None
    labels: Path | None = None


@dataclass(frozen=True)
class Running:
    """How the work is shared out. The bytes of the result do not depend on it.

    Attributes:
        workers: processes; 0: as many as the work is worth, by what the first shard takes, and cores allow.
        make: makes source and tokenizer anew in another process; can be pickled. Without it there is one process.
        rank, ranks: this process among those that were started together on this folder. The first one merges.
        stop: asked ten times a second whether to stop.
    """

    workers: int = 1
    make: Make | None = None
    rank: int = 0
    ranks: int = 1
    stop: Callable[[], bool] = lambda: False


def prepare(
    source: Source,
    tokenizer: Tokenizer,
    folder: Path,
    choices: Choices,
    *,
    hooks: Hooks,
    running: Running = Running(),  # frozen
) -> Report:
    """Write the token dataset of a source into `folder`, which is made, or replaced, at the end.

    Finished shards of it lie beside the folder until it stands. A preparation that was stopped, or killed, goes on
    with them where the pieces, the tokenizer and the choices are the same. The hooks are told of the progress, and of
    what the user should know.

    Raises:
        StoppedError: after `running.stop` returned true.
        DiffmidiError: where no piece at all can be used, or another rank has failed.
    """
    pieces = Pieces(source.pieces())
    given = GivenLabels(choices.labels, (piece.id for piece in pieces)) if choices.labels else None
    groups = None if choices.group is None else group_of(choices.group, given)
    plan = _plan(source, tokenizer, pieces, choices)
    finished = _Finished(folder, plan)
    if finished():
        return finished.report()
    beside = partial_of(folder)
    place = Place(beside / plan, running.rank, running.ranks)

    def tell(done: int) -> None:
        hooks.emit("progress", what="pieces", done=done, total=len(pieces))

    work = Work(
        pieces,
        place,
        measured=min(1.0, MEASURED / max(len(pieces), 1)),
        tell=tell,
        stop=running.stop,
        over=finished if running.rank else lambda: False,
    )
    with place.telling():
        if running.rank == 0:
            _remove_others(beside, plan, hooks)
        work_on(work, source, tokenizer, make=running.make, workers=running.workers)
        if running.rank:
            _wait(finished, place, running.stop)
        else:
            tell(len(pieces))
            shards = [place.shard(number) for number in range(work.shards)]
            merging = Merging(shards, source, pieces, choices.near_duplicates, given, groups)
            _finish(merging, _begun(tokenizer, pieces, choices, plan), tokenizer, folder, place)
    shutil.rmtree(beside, ignore_errors=True)
    report = finished.report()
    for remark in report.warnings:
        hooks.warn(remark)
    return report


def _begun(tokenizer: Tokenizer, pieces: Pieces, choices: Choices, plan: str) -> Report:
    """The report before anything is counted."""
    return Report(
        found=len(pieces),
        heldout_share=choices.heldout,
        test_share=choices.test,
        in_seconds=tokenizer.time_stretch(1.5) is not None,
        grouped={"by": choices.group} if choices.group else {},
        tokenizer=tokenizer.fingerprint,
        plan=plan,
    )


class _Finished:
    """Whether the dataset of a plan stands whole in a folder, and what its report says."""

    def __init__(self, folder: Path, plan: str) -> None:
        self.file, self.plan = folder / REPORT, plan

    def __call__(self) -> bool:
        return self.file.exists() and read_json(self.file).get("plan") == self.plan

    def report(self) -> Report:
        return read_report(self.file.parent)


def _plan(source: Source, tokenizer: Tokenizer, pieces: Sequence[Piece], choices: Choices) -> str:
    """Names what is prepared and how: what was made under another name is of no use."""
    kind = type(source)
    plan = {
        "version": __version__,
        "source": [f"{kind.__module__}:{kind.__qualname__}", source.options.model_dump(mode="json"), source.data],
        "tokenizer": tokenizer.fingerprint,
        **asdict(choices),
        "labels": hashlib.sha256(choices.labels.read_bytes()).hexdigest() if choices.labels else None,
    }
    digest = hashlib.sha256(json.dumps(plan, sort_keys=True).encode())
    for piece in pieces:
        line = json.dumps([piece.id, piece.group, source.stamp(piece)])
        digest.update(line.encode())
    return digest.hexdigest()[:16]


def _remove_others(beside: Path, plan: str, hooks: Hooks) -> None:
    """Remove what a preparation of something else left, with a warning."""
    others = [path for path in beside.glob("*") if path.name != plan]
    if others:
        hooks.warn(
            "a preparation was stopped here, but the music, the tokenizer or the options have changed since: "
            "it begins anew."
        )
    for path in others:
        shutil.rmtree(path, ignore_errors=True)


def _finish(merging: Merging, report: Report, tokenizer: Tokenizer, folder: Path, place: Place) -> None:
    try:
        with whole_folder(folder, inside=place.folder) as temporary:
            merging.write(temporary, report)
            report.warnings = list(report.remarks())
            if merging.given is not None and (remark := merging.given.remark()) is not None:
                report.warnings.append(remark)
            tokenizer.save(temporary / TOKENIZER)
            report.files = digests(temporary)
            write_json(temporary / REPORT, asdict(report))
    except DiffmidiError:
        if not report.kept and place.ranks == 1:
            # Nothing that is here would be of use to another attempt.
            shutil.rmtree(place.folder.parent, ignore_errors=True)
        raise


def _wait(finished: _Finished, place: Place, stop: Callable[[], bool]) -> None:
    """Wait for the first rank as long as it lives: there is nothing that could time out."""
    watch = Watch(place.alive)
    while not finished():
        place.check()
        watch.check()
        if stop():
            raise StoppedError("Stopped while waiting for the first rank; what is done is kept.")
        time.sleep(_CHECK_EVERY)
