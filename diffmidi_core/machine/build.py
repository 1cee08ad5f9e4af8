"""From a run's config, or a saved model's manifest, to the parts it names."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.errors import BrokenPluginError, DiffmidiError
from diffmidi_core.registry import find
from diffmidi_core.sections import Part

if TYPE_CHECKING:
    # It brings torch, which reading music does not need.
    from diffmidi_core.config import RunConfig
    from diffmidi_core.contracts.process import Process
    from diffmidi_core.data.known_labels import KnownLabel
    from diffmidi_core.saved.manifest import Manifest

    Parts = RunConfig | Manifest


def build(kind: str, part: Part, **context: Any) -> Any:
    """One part, with what its kind is given (contracts/ say what)."""
    return find(kind, part.spec).build(part.options, **context)


def check_parts(parts: Iterable[tuple[str, Part]]) -> None:
    """Import the class of every chosen part, so that one that is broken is found before any work is done for it.

    Raises BrokenPluginError.
    """
    for kind, part in parts:
        find(kind, part.spec).implementation()


def blamed(kind: str, part: Part, doing: str) -> AbstractContextManager[None]:
    """Whatever a part raises within, told in one sentence that names its package (`Offer.blamed`)."""
    return find(kind, part.spec).blamed(doing)


def build_tokenizer(parts: Parts, saved: Path | None = None) -> Tokenizer:
    """The tokenizer: as `saved` has it, where that folder is there, else from its options."""
    if saved is None or not saved.is_dir():
        built: Tokenizer = build("tokenizer", parts.tokenizer)
        return built
    offer = find("tokenizer", parts.tokenizer.spec)
    try:
        restored: Tokenizer = offer.implementation().restored(offer.options(parts.tokenizer.options), saved)
    except DiffmidiError:
        raise
    except Exception as error:
        raise BrokenPluginError(
            f"tokenizer '{offer.name}' of {offer.origin} cannot be restored from {saved} "
            f"({type(error).__name__}: {str(error)[:200]})."
        ) from error
    return restored


def build_process(parts: Parts, tokenizer: Tokenizer, *, seed: int = 0, labels: Iterable[KnownLabel] = ()) -> Process:
    """The process around its backbone, with weights that the seed decides, and room for the labels it is told.

    Where the run is one of a classifier, that, which is told the one label it is of.
    """
    import torch

    # Weights start from torch's global generator; every other draw has a generator of its own.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        offer = find("process", parts.process.spec)
        kind: type[Process] = offer.implementation()
        if tokenizer.plan and not kind.plans:
            raise DiffmidiError(
                f"tokenizer '{parts.tokenizer.spec}' as it is set plans bars before their notes, and process "
                f"'{offer.name}' cannot read that: choose --process masked or autoregressive, or tokens without a plan."
            )
        places = kind.positions(offer.options(parts.process.options), tokenizer, parts.length, parts.bars)
        backbone = build("backbone", parts.backbone, length=places)
        schedule = build("schedule", parts.schedule)
        process: Process = build("process", parts.process, tokenizer=tokenizer, backbone=backbone, schedule=schedule)
        if parts.classifier is not None:
            return _classifier(parts, process, tuple(labels))
        process.learn_labels({label.name: len(label.values) for label in labels})
    return process


def _classifier(parts: Parts, process: Process, labels: tuple[KnownLabel, ...]) -> Process:
    """The classifier of the noised music of a process, with a backbone of its own."""
    from diffmidi_core.diffusion.classifier import classifier_for

    def backbone(length: int) -> Any:
        return build("backbone", parts.backbone, length=length)

    if len(labels) != 1:
        raise DiffmidiError(f"a classifier is of one label, and this one has {len(labels)}: train it again.")
    return classifier_for(process, backbone, parts.length, labels[0].name, len(labels[0].values))
