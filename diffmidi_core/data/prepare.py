"""prepare: from the pieces of a source to a token dataset, whole or not at all, and on from where it was stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
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

__all__ = ["REPORT", "TOKENIZER", "TOKENS", "Report", "prepare"]

TOKENIZER = "tokenizer"
MEASURED = 64
"""Pieces whose round trip is measured, of a larger source."""
_CHECK_EVERY = 0.2


def prepare(
    source: Source,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    heldout: float,
    test: float = 0.0,
    hooks: Hooks,
    near_duplicates: str = "group",
    group: str | None = None,
    labels: Path | None = None,
    workers: int = 1,
    make: Make | None = None,
    rank: int = 0,
    ranks: int = 1,
    stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Write the token dataset of a source into `folder`.

    Finished shards of it lie beside the folder until it stands. A preparation that was stopped, or killed, goes on
    with them where the pieces, the tokenizer and the options are the same. The bytes of the result do not depend on
    where it was stopped, nor on `workers` and `ranks`.

    Args:
        source, tokenizer: what is prepared, and how it becomes tokens.
        folder: is made, or replaced, at the end.
        heldout, test: shares of the pieces held out to watch training by, and kept to judge the model by.
        hooks: are told of the progress, and of what the user should know.
        near_duplicates: versions of one piece stay on one side of the split ("group"), all but the first are left out
            ("drop"), or they are taken for different pieces ("ignore").
        group: names groups of pieces that stay on one side as well: "folder", or a column of the labels.
        labels: a CSV file of labels to lay over the measured ones.
        workers: processes; 0: as many as the work is worth, by what the first shard takes, and cores allow.
        make: makes source and tokenizer anew in another process; can be pickled. Without it there is one process.
        rank, ranks: this process among those that were started together on this folder. The first one merges.
        stop: asked ten times a second whether to stop.

    Raises:
        StoppedError: after `stop` returned true.
        DiffmidiError: where no piece at all can be used, or another rank has failed.
    """
    pieces = Pieces(source.pieces())
    given = GivenLabels(labels, (piece.id for piece in pieces)) if labels else None
    groups = None if group is None else group_of(group, given)
    options = {"heldout": heldout, "test": test, "near_duplicates": near_duplicates, "group": group}
    plan = _plan(source, tokenizer, pieces, labels=labels, **options)
    beside = partial_of(folder)
    finished = _Finished(folder, plan)

    def tell(done: int) -> None:
        hooks.emit("progress", what="pieces", done=done, total=len(pieces))

    if finished():
        return finished.report()
    place = Place(beside / plan, rank, ranks)
    with place.telling():
        if rank == 0:
            _remove_others(beside, plan, hooks)
        work = Work(
            pieces,
            place,
            measured=min(1.0, MEASURED / max(len(pieces), 1)),
            tell=tell,
            stop=stop,
            over=finished if rank else lambda: False,
        )
        work_on(work, source, tokenizer, make=make, workers=workers)
        if rank:
            _wait(finished, place, stop)
        else:
            tell(len(pieces))
            shards = [place.shard(number) for number in range(work.shards)]
            merging = Merging(shards, source, pieces, near_duplicates, given, groups)
            report = Report(
                found=len(pieces),
                heldout_share=heldout,
                test_share=test,
                in_seconds=tokenizer.time_stretch(1.5) is not None,
                grouped={"by": group} if group else {},
                tokenizer=tokenizer.fingerprint,
                plan=plan,
            )
            _finish(merging, report, tokenizer, folder, place)
    shutil.rmtree(beside, ignore_errors=True)
    report = finished.report()
    for remark in report.warnings:
        hooks.warn(remark)
    return report


class _Finished:
    """Whether the dataset of a plan stands whole in a folder, and what its report says."""

    def __init__(self, folder: Path, plan: str) -> None:
        self.file, self.plan = folder / REPORT, plan

    def __call__(self) -> bool:
        return self.file.exists() and read_json(self.file).get("plan") == self.plan

    def report(self) -> Report:
        return read_report(self.file.parent)


def _plan(
    source: Source, tokenizer: Tokenizer, pieces: Sequence[Piece], *, labels: Path | None, **options: object
) -> str:
    """Names what is prepared and how: what was made under another name is of no use."""
    kind = type(source)
    plan = {
        "version": __version__,
        "source": [f"{kind.__module__}:{kind.__qualname__}", source.options.model_dump(mode="json"), source.data],
        "tokenizer": tokenizer.fingerprint,
        "labels": hashlib.sha256(labels.read_bytes()).hexdigest() if labels else None,
        **options,
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
