"""Where a training begins: from nothing, from its own newest checkpoint, or from another run's.

A run that begins from another takes its weights, their average and the optimiser's state. Its iterations count from 0,
but what depends on how long the weights were trained goes on from the other's: the warm-up, the ramp of the average,
and which music and noise comes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.data.known_labels import KnownLabel
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.machine.ranks import done_by_main
from diffmidi_core.machine.session import Session
from diffmidi_core.saved import checkpoint
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.saved.manifest import Manifest, is_run, read_model
from diffmidi_core.saved.training import Began
from diffmidi_core.wording import first_mistake, printable


def check_prepared(folder: RunFolder, dataset: TokenDataset) -> None:
    """Raises DiffmidiError where the data of a run are not those that were prepared for it."""
    prepared = folder.facts().get("data_fingerprint")
    if prepared not in (None, dataset.fingerprint):
        raise DiffmidiError(
            f"{folder.data} (fingerprint {dataset.fingerprint}) is not what was prepared for this run ({prepared}): "
            "put that back, or begin a new run."
        )


def remember_origin(session: Session) -> None:
    """Note in run.json what a new run begins from, where it does not begin from nothing, before it is prepared.

    Raises DiffmidiError where there is no such run or checkpoint, UsageError where it has another vocabulary.
    """
    if session.begin_from is None:
        return
    run, which = session.begin_from
    if not is_run(run):
        raise UsageError(f"there is no run in {run} to begin from (--from): name the folder of a run that was trained.")
    manifest = read_model(run, which if which is not None else "last")
    if manifest.tokenizer_fingerprint != session.tokenizer.fingerprint:
        raise UsageError(
            f"a run cannot begin from {run} with another vocabulary: it was trained with tokenizer "
            f"'{manifest.tokenizer.label}' and its options, and this one has '{session.config.tokenizer.label}' and "
            "its own. Leave out --tokenizer and -o tokenizer."
        )
    session.folder.note(began=began_from(run.resolve(), manifest).model_dump(mode="json"))


def origin_of(folder: RunFolder) -> Began | None:
    """What a run is to begin from, as run.json says; None: from nothing. Raises DiffmidiError."""
    began = folder.facts().get("began")
    try:
        return None if began is None else Began.model_validate(began)
    except ValidationError as error:
        raise DiffmidiError(
            f"{folder.facts_file} does not hold what the run began from ({first_mistake(error)}): begin a new run."
        ) from None


def began_from(run: Path, manifest: Manifest) -> Began:
    """What a run that begins from a checkpoint stores of it."""
    return Began(run=str(run), step=manifest.step, iterations=iterations_of(manifest), weights=manifest.weights)


def check_labels(path: Path, manifest: Manifest, labels: Sequence[KnownLabel]) -> None:
    """Raises DiffmidiError where a checkpoint was trained with other labels than a run is told."""
    before, now = ({(label.name, len(label.values)) for label in each} for each in (manifest.labels, labels))
    if before != now:
        told, asked = (",".join(label.name for label in each) or "none" for each in (manifest.labels, labels))
        raise DiffmidiError(
            f"{path} was trained with other labels ({printable(told)}) than this run is to be ({printable(asked)}): "
            f"choose --condition {printable(told)}, or begin from nothing, without --from."
        )


def iterations_of(manifest: Manifest) -> int:
    """How many iterations the weights were trained for, in their run and in those that it began from."""
    began = manifest.training.began if manifest.training else None
    return manifest.step + (began.iterations if began else 0)


def open_origin(began: Began) -> tuple[Path, Manifest]:
    """The checkpoint that a run begins from, verified. Raises DiffmidiError where it is not what it was."""
    path = checkpoint.choose(Path(began.run) / "checkpoints", began.step)
    manifest = done_by_main(lambda: checkpoint.opened(path))
    if manifest.weights != began.weights:
        raise DiffmidiError(
            f"{path} is not what this run was to begin from (weights {manifest.weights}, and not {began.weights}): "
            "begin a new run with --from."
        )
    return path, manifest
