"""What differs in training a classifier: where it begins, what it is validated on, and what it is told to be worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.data.known_labels import KnownLabel
from diffmidi_core.data.told import Told
from diffmidi_core.diffusion.classifier import Classifier
from diffmidi_core.draw.model import Model, open_classifier, open_model
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import write_json
from diffmidi_core.machine.build import build_process
from diffmidi_core.machine.seeds import generator_for
from diffmidi_core.machine.session import Session

HELDOUT, TRAIN = "heldout/label_bits", "train/label_bits"
"""The curves of a classifier in metrics.jsonl: bits of the label, over the levels of noise."""
CURVES = (HELDOUT, TRAIN, f"{HELDOUT}_error")
VALIDATED = 4
"""Levels of noise of a validation pass."""
LEVELS = (0.0, 0.25, 0.5, 0.75, 0.95)
"""Of noise at which accuracy is told: shares of masked tokens, or of the chain's levels."""
WINDOWS, AT_ONCE, RESAMPLES = 256, 16, 1000
ACCURACY = "accuracy.json"


def built(session: Session, labels: Sequence[KnownLabel]) -> Process:
    """What a run trains, before training; a classifier has what it takes from its model.

    Raises DiffmidiError where that model is not what it was.
    """
    process = build_process(session.config, session.tokenizer, seed=session.config.seed, labels=labels)
    if (of := session.config.classifier) is not None:
        assert isinstance(process, Classifier)
        model = open_model(Path(of.model), of.step)
        if model.fingerprint != of.weights:
            raise DiffmidiError(
                f"{of.model} is not the model that {session.folder.path} is a classifier for (weights "
                f"{model.fingerprint}, and not {of.weights}): train a classifier for it as it is now."
            )
        process.take(model.process)
    return process


@dataclass(frozen=True)
class Labelled:
    """Windows with their labels, also those that are not trained on."""

    told: Told
    dataset: TokenDataset

    @classmethod
    def of(cls, known: Sequence[KnownLabel], dataset: TokenDataset, tokenizer: Tokenizer) -> Labelled:
        """Of a dataset's windows, the labels of all its pieces looked up."""
        pieces = np.concatenate([dataset.train_pieces, dataset.heldout_pieces, dataset.test_pieces])
        return cls(Told.opened(known, dataset, tokenizer, dropped=0, pieces=pieces), dataset)

    def batch(self, windows: Sequence[Window]) -> Batch:
        """The batch of some windows, all of their labels told."""
        batch = self.dataset.batch(windows)
        rows = [ids[1 : 1 + count] for ids, count in zip(batch.ids.numpy(), batch.tokens.tolist(), strict=True)]
        numbers = self.told.numbers(rows, np.array([window.piece for window in windows], dtype=np.int64))
        condition = {label.name: torch.from_numpy(numbers[:, n].copy()) for n, label in enumerate(self.told.known)}
        return replace(batch, condition=condition)


def labelled_of(session: Session, known: Sequence[KnownLabel], dataset: TokenDataset) -> Labelled | None:
    """What a classifier is validated on; None where a run trains a model."""
    return Labelled.of(known, dataset, session.tokenizer) if session.config.classifier is not None else None


Bits = tuple[float, float | None]


def both(
    session: Session, process: Process, labelled: Labelled, heldout: Sequence[Window], training: Sequence[Window]
) -> tuple[Bits, Bits]:
    """A validation pass: `label_bits` of held-out and of training windows."""
    first, second = (label_bits(session, process, labelled, windows, VALIDATED) for windows in (heldout, training))
    return first, second


def label_bits(session: Session, process: Process, labelled: Labelled, windows: Sequence[Window], levels: int) -> Bits:
    """Bits of the label, the mean over the windows that have it, and its standard error; each process takes all."""
    device, found = session.accelerator.device, [np.zeros(0)]
    with torch.no_grad(), session.autocast():
        for number, begin in enumerate(range(0, len(windows), AT_ONCE)):
            batch = labelled.batch(windows[begin : begin + AT_ONCE]).to(device)
            bound = process.bound(batch, generator_for(0, "bound", number, device=device), levels=levels)
            found.append(bound.bits[bound.tokens > 0].double().cpu().numpy())
    bits = np.concatenate(found)
    if len(bits) < 2:
        return float(bits.sum()), None
    return float(bits.mean()), float(bits.std(ddof=1)) / math.sqrt(len(bits))


Figure = dict[str, float]


def tell_accuracy(session: Session) -> dict[str, Any]:
    """What the classifier of a run is worth, written into the run: accuracy by split and level of noise.

    Beside it the share of the value that is the commonest in training. Intervals of 95 % are by resampling pieces,
    since windows of one piece are alike.
    """
    model = open_classifier(session.folder.path)
    model.process.to(session.accelerator.device)
    config = session.config
    dataset = TokenDataset(session.folder.data, model.tokenizer, length=config.length, bars=config.bars)
    labelled = Labelled.of(model.manifest.labels, dataset, model.tokenizer)
    splits = {"validation": dataset.heldout(WINDOWS), "test": dataset.test(WINDOWS)}
    found = {
        "label": model.manifest.labels[0].name,
        "step": model.step,
        "weights": model.fingerprint,
        "levels": list(LEVELS),
        **{name: _of_split(session, model, labelled, windows) for name, windows in splits.items()},
    }
    if session.accelerator.is_main_process:
        write_json(session.folder.path / ACCURACY, found)
    return found


def _of_split(session: Session, model: Model, labelled: Labelled, windows: Sequence[Window]) -> Mapping[str, Any]:
    right, numbers = _guessed(session, model, labelled, windows)
    has = numbers > 0
    pieces = np.array([window.piece for window in windows], dtype=np.int64)[has]
    counts = model.manifest.labels[0].counts
    commonest = numbers[has] == 1 + int(np.argmax(counts))
    return {
        "windows": int(has.sum()),
        "pieces": len(np.unique(pieces)),
        "commonest": _share(commonest, pieces),
        "accuracy": [_share(row[has], pieces) for row in right],
    }


def _guessed(
    session: Session, model: Model, labelled: Labelled, windows: Sequence[Window]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """[levels, N] whether the likeliest value is the right one, and [N] the right one's number."""
    process, device = model.process, session.accelerator.device
    assert isinstance(process, Classifier)
    right, numbers = [np.zeros((len(LEVELS), 0), dtype=bool)], [np.zeros(0, dtype=np.int64)]
    with torch.no_grad(), session.autocast():
        for number, begin in enumerate(range(0, len(windows), AT_ONCE)):
            batch = labelled.batch(windows[begin : begin + AT_ONCE]).to(device)
            truth = batch.condition[process.label]
            noise = generator_for(0, "accuracy", number, device=device)
            guesses = [process.noised(batch, noise, level)().argmax(-1) + 1 for level in LEVELS]
            right.append((torch.stack(guesses) == truth).cpu().numpy())
            numbers.append(truth.cpu().numpy())
    return np.concatenate(right, 1), np.concatenate(numbers)


def _share(hits: NDArray[np.bool_], pieces: NDArray[np.int64]) -> Figure:
    """The share of hits and its interval, by pieces drawn with replacement; nothing of no windows."""
    if not len(hits):
        return {}
    _, of = np.unique(pieces, return_inverse=True)
    hit, all_ = np.bincount(of, hits), np.bincount(of)
    drawn = np.random.default_rng(0).integers(len(all_), size=(RESAMPLES, len(all_)))
    low, high = np.quantile(hit[drawn].sum(1) / all_[drawn].sum(1), [0.025, 0.975]).tolist()
    return {"value": float(hits.mean()), "low": low, "high": high}
