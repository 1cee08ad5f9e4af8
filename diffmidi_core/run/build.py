"""From a config to the parts it names."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffmidi_core.config import Part, RunConfig
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.errors import BrokenPluginError, DiffmidiError
from diffmidi_core.registry import find

if TYPE_CHECKING:
    # It brings torch, which reading music does not need.
    from diffmidi_core.contracts.process import Process


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


def build_tokenizer(config: RunConfig, saved: Path | None = None) -> Tokenizer:
    """The run's tokenizer: as `saved` has it, where that folder is there, else from its options."""
    if saved is None or not saved.is_dir():
        built: Tokenizer = build("tokenizer", config.tokenizer)
        return built
    offer = find("tokenizer", config.tokenizer.spec)
    try:
        restored: Tokenizer = offer.implementation().restored(offer.options(config.tokenizer.options), saved)
    except DiffmidiError:
        raise
    except Exception as error:
        raise BrokenPluginError(
            f"tokenizer '{offer.name}' of {offer.origin} cannot be restored from {saved} "
            f"({type(error).__name__}: {str(error)[:200]})."
        ) from error
    return restored


def build_process(config: RunConfig, tokenizer: Tokenizer) -> Process:
    """The run's process around its backbone, with weights that `config.seed` decides."""
    import torch

    # Weights start from torch's global generator; every other draw has a generator of its own.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        backbone = build("backbone", config.backbone, length=config.length + 2)
        schedule = build("schedule", config.schedule)
        process: Process = build("process", config.process, tokenizer=tokenizer, backbone=backbone, schedule=schedule)
    return process


def describe_parts(
    config: RunConfig, kinds: Iterable[str] = ("tokenizer", "backbone", "schedule", "process")
) -> dict[str, dict[str, Any]]:
    """Each chosen part with the package and version that it comes from."""
    described: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        part: Part = getattr(config, kind)
        offer = find(kind, part.name)
        described[kind] = {
            "name": part.name,
            "package": offer.package,
            "version": offer.version,
            "options": part.options,
        }
    return described
