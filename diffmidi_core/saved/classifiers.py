"""Classifiers on disk: whether a folder is one, and whether it is of a model. Light."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diffmidi_core.classifiers import AskedClassifier
from diffmidi_core.errors import UsageError
from diffmidi_core.saved.installed import model_at
from diffmidi_core.saved.manifest import Manifest, Tell, Which, read_model
from diffmidi_core.wording import printable

FAMILIES = ("gaussian", "masked")
"""Of processes whose drawing a classifier can lead."""


def check_no_classifier(manifest: Manifest, where: Path) -> None:
    """Raises UsageError where what is in a folder is a classifier, of which nothing can be drawn."""
    if (of := manifest.classifier) is not None:
        raise UsageError(
            f"{where} is a classifier of {printable(of.label)} and no model: name its model, {printable(of.model)}, "
            f"and this one by --classifier."
        )


def asked_classifiers(
    paths: Sequence[Path], model: Manifest, where: Path, tell: Tell, which: Which = None
) -> tuple[AskedClassifier, ...]:
    """The classifiers in some folders, for the model that lies at `where`.

    Raises UsageError in one sentence for what is no classifier, or one of another model, or a second of one label.
    """
    found: dict[str, AskedClassifier] = {}
    for path in paths:
        manifest = read_model(model_at(path.expanduser()), which, tell)
        of = manifest.classifier
        if of is None or len(manifest.labels) != 1:
            raise UsageError(
                f"--classifier {path}: it is a model and no classifier: train one with "
                f"`diffmidi train-classifier {where} --label NAME`."
            )
        if of.weights != model.weights:
            raise UsageError(
                f"--classifier {path}: it was trained for another model ({printable(of.model)} at iteration {of.step}) "
                f"than {where} at iteration {model.step}: draw from that one, or train a classifier for this one."
            )
        if (other := found.get(of.label)) is not None:
            raise UsageError(
                f"--classifier {path}: {printable(other.path)} tells {printable(of.label)} too: name one of them."
            )
        found[of.label] = AskedClassifier(
            path=str(path), step=manifest.step, weights=manifest.weights, label=manifest.labels[0]
        )
    return tuple(found.values())
