"""Model: a trained model as something to draw from and to judge, from a run's folder or one that `export` wrote.

It opens from its manifest alone: the run's config, its data, hooks and metrics are not needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from diffmidi_core.classifiers import AskedClassifier
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.installing import pip_install
from diffmidi_core.machine.build import build_process, build_tokenizer
from diffmidi_core.music.timeline import Timeline
from diffmidi_core.registry import find
from diffmidi_core.request import Request, requested
from diffmidi_core.saved import checkpoint as checkpoints
from diffmidi_core.saved.classifiers import check_no_classifier
from diffmidi_core.saved.lengths import DataLengths
from diffmidi_core.saved.manifest import AGAIN, ANOTHER, PARTS, Manifest, Tell, Which, model_folder
from diffmidi_core.saved.manifest import CONFIG as CONFIG
from diffmidi_core.saved.manifest import is_run as is_run
from diffmidi_core.sections import Part

WEIGHTS, TOKENIZER, VOCAB = checkpoints.MODEL, checkpoints.TOKENIZER, "vocab.txt"
"""What an exported folder holds beside CONFIG; `TOKENIZER` is a folder, which only some tokenizers need."""


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes:
        process: with averaged weights, in evaluation mode, on the CPU.
        parts: what it was built from: tokenizer, backbone, schedule and process.
        length, bars: tokens in a window, and bars at most, where tokens are laid out in bars.
        precision: what it computes in, as `--precision` takes it.
        step: the iteration that its weights are of.
        lengths: of the music that it was trained on.
        defaults: how it draws unless it is asked otherwise.
        fingerprint: of its weights.
        path: the run or the exported folder.
        manifest: all that was saved of it beside the tensors.
    """

    process: Process
    parts: Mapping[str, Part]
    length: int
    bars: int
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    step: int
    lengths: DataLengths
    defaults: Request
    fingerprint: str
    path: Path
    manifest: Manifest

    @classmethod
    def of(cls, process: Process, manifest: Manifest, path: Path, defaults: Request) -> Model:
        """A process as a model: what else is known of it, its manifest says."""
        return cls(
            process=process,
            parts={kind: manifest.part(kind) for kind in PARTS},
            length=manifest.length,
            bars=manifest.bars,
            precision=manifest.precision,
            step=manifest.step,
            lengths=manifest.lengths,
            defaults=defaults,
            fingerprint=manifest.weights,
            path=path,
            manifest=manifest,
        )

    def request(
        self,
        flags: Mapping[str, Any],
        assignments: Sequence[str] = (),
        *,
        defaults: Request | None = None,
        classifiers: Sequence[AskedClassifier] = (),
    ) -> Request:
        """What flags ask of this model, whose own `defaults` fill what they leave open; see `requested`."""
        return requested(
            self.defaults if defaults is None else defaults,
            flags,
            assignments,
            process=self.parts["process"],
            window=self.length,
            by_bars=bool(self.tokenizer.plan),
            labels=self.manifest.labels,
            classifiers=classifiers,
        )

    @property
    def tokenizer(self) -> Tokenizer:
        """Music to tokens and back, as the model was trained with it."""
        return self.process.tokenizer

    @property
    def timeline(self) -> Timeline:
        """At which tempo and in which metre its new pieces are played."""
        return self.manifest.typical.timeline()


def open_model(where: Path, checkpoint: Which = None, tell: Tell = warnings.warn) -> Model:
    """The model of a run, at a `checkpoint` as `choose` takes it, or of an exported folder, which has only one.

    Raises DiffmidiError in one sentence where the folder is neither, where a file of it is missing, damaged or not
    finite, or where it needs a part that is not installed; UsageError where it is a classifier.
    """
    model = _opened(where, checkpoint, tell)
    check_no_classifier(model.manifest, where)
    return model


def open_classifier(where: Path, checkpoint: Which = None, tell: Tell = warnings.warn) -> Model:
    """The classifier of a run, as `open_model` opens a model: its process tells p(c | x_t), and draws nothing."""
    model = _opened(where, checkpoint, tell)
    if model.manifest.classifier is None:
        raise DiffmidiError(f"{where} is a model and no classifier: name a run that `diffmidi train-classifier` made.")
    return model


def _opened(where: Path, checkpoint: Which, tell: Tell) -> Model:
    path = model_folder(where, checkpoint, tell)
    if is_run(where):
        manifest = checkpoints.opened(path)
        process = _built(manifest, path)
        checkpoints.load_averaged(path, process, remedy=_remedy(ANOTHER, manifest))
    else:
        manifest = Manifest.read(path / CONFIG, AGAIN)
        manifest.verify(path, (WEIGHTS,), AGAIN)
        process = _built(manifest, path)
        checkpoints.load_weights(path / WEIGHTS, process, remedy=_remedy(AGAIN, manifest))
    defaults = Request(**dict(manifest.sample), sampler=manifest.sampler)
    return Model.of(process.eval(), manifest, where, defaults)


def _remedy(remedy: str, manifest: Manifest) -> str:
    return f"{remedy[:-1]}{manifest.differences()}."


def _built(manifest: Manifest, folder: Path) -> Process:
    """The process that a manifest describes, from parts of the very packages it names, with weights yet to come."""
    manifest.check_installed(folder)
    saved = folder / TOKENIZER
    has_own = any(name.startswith(f"{TOKENIZER}/") for name in manifest.files)
    tokenizer = build_tokenizer(manifest, saved if has_own else None)
    if tokenizer.fingerprint != manifest.tokenizer_fingerprint:
        part = manifest.tokenizer
        raise DiffmidiError(
            f"{folder} was made with another vocabulary than tokenizer '{part.name}' has here "
            f"({find('tokenizer', part.spec).origin}): {pip_install(part.package, part.version) or 'install that one'}."
        )
    return build_process(manifest, tokenizer, labels=manifest.labels)
