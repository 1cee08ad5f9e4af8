"""What fits the chosen parts: windows for a tokenizer, steps for a sampler, and a sampler for a process. Light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from diffmidi_core.declaration import WINDOW, BackboneDeclaration, TokenizerDeclaration
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.registry import find, offers
from diffmidi_core.sections import Part, SampleConfig


def windows_of(part: Any, assigned: Mapping[str, Any]) -> tuple[int, str]:
    """The tokens in a window that suit a tokenizer, and `without_plan` of it.

    Those of others where it cannot be used, which is reported on its own.
    """
    try:
        part = Part.model_validate(part)
        offer = find("tokenizer", part.spec)
        declaration = offer.load()
        options = offer.options(offer.merged(part.options, assigned))
    except (DiffmidiError, ValidationError):
        return WINDOW, ""
    if not isinstance(declaration, TokenizerDeclaration):
        return WINDOW, ""
    with offer.blamed("saying how long its windows are"):
        window, without = declaration.window(options), declaration.without_plan(options)
        if not (type(window) is int and window >= 1 and isinstance(without, str)):
            raise TypeError(f"window gives 1 or more and without_plan a text, not {window!r} and {without!r}")
    return window, without


def without_plan(tokenizer: Part) -> str:
    """The `-o` with which a tokenizer's tokens have no plan of bars; "" where they have none."""
    return windows_of(tokenizer, {})[1]


def steps_of(sampler: Part, length: int, *, by_bars: bool = False) -> int:
    """How many steps a sampler takes for windows of `length` tokens, laid out in bars or not, unless it is told."""
    declaration = find("sampler", sampler.spec).sampler()
    if by_bars and declaration.steps_by_bars is not None:
        return declaration.steps_by_bars
    if declaration.steps is not None:
        return declaration.steps
    return length if declaration.step_per_token else SampleConfig().steps


def check_process(tokenizer: Part, process: Part) -> None:
    """Raises UsageError where a process cannot do with the plan of bars that a tokenizer's tokens have."""
    if not find("process", process.spec).process().plans and (without := without_plan(tokenizer)):
        usable = [offer for offer in offers("process") if offer.problem() is None]
        fitting = ", ".join(offer.spelling for offer in usable if offer.process().plans)
        raise UsageError(
            f"process '{process.name}' does not take the bars that tokenizer '{tokenizer.name}' lays tokens out in: "
            f"choose -o {without}, or another --process ({fitting or 'none fits'})."
        )


def check_backbone(tokenizer: Part, process: Part, backbone: Part) -> None:
    """Raises UsageError where a process needs masks of pairs, and a backbone does not take them."""
    declared = find("backbone", backbone.spec).load()
    if not isinstance(declared, BackboneDeclaration) or declared.pairs:
        return
    pairs, without = find("process", process.spec).process().pairs, without_plan(tokenizer)
    if pairs == "always" or (pairs == "plan" and without):
        usable = [offer for offer in offers("backbone") if offer.problem() is None]
        fitting = ", ".join(offer.spelling for offer in usable if getattr(offer.load(), "pairs", True))
        other = f", or -o {without}" if pairs == "plan" else ""
        raise UsageError(
            f"process '{process.name}' says which tokens may see which, and backbone '{backbone.name}' takes no such "
            f"masks of pairs: choose another --backbone ({fitting or 'none fits'}){other}."
        )


def check_kept(tokenizer: Part) -> None:
    """Raises UsageError where windows cannot have notes that are kept: tokens have no plan of bars."""
    if not without_plan(tokenizer):
        raise UsageError(
            f"condition.kept: tokenizer '{tokenizer.name}' as it is chosen lays out no bars, so no part of a bar can "
            "be kept in training: choose --tokenizer mmm, or leave condition.kept at 0."
        )


def check_sampler(process: Part, sampler: Part, *, steps: int, length: int) -> None:
    """Raises UsageError where a sampler cannot draw from a process, or not in so few steps."""
    family, drawing = find("process", process.spec).process().family, find("sampler", sampler.spec).sampler()
    if family != drawing.family:
        usable = [offer for offer in offers("sampler") if offer.problem() is None]
        fitting = ", ".join(offer.spelling for offer in usable if offer.sampler().family == family)
        raise UsageError(
            f"sampler '{sampler.name}' samples {drawing.family} processes, and process "
            f"'{process.name}' is {family}: choose another --sampler ({fitting or 'none fits'})."
        )
    if drawing.step_per_token and steps < length:
        raise UsageError(
            f"sampler '{sampler.name}' takes one step a token, and {steps} steps are fewer than the {length} tokens "
            f"of a window: choose --steps {length}, or a model of a smaller --length."
        )
