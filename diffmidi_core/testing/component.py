"""A part under test, and the checks that it must pass."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from diffmidi_core.declaration import Declaration, Options
from diffmidi_core.errors import BrokenPluginError, UsageError
from diffmidi_core.kinds import KINDS
from diffmidi_core.registry import Offer, offers, own_offers, same
from diffmidi_core.testing.expect import ConformanceError


@dataclass(frozen=True)
class Component:
    """One offered part, as the checks get it, at its smallest or with other `chosen` options."""

    offer: Offer
    chosen: Options | None = None

    def __str__(self) -> str:
        return f"{self.offer.kind}-{self.offer.spelling}"

    @property
    def declaration(self) -> Declaration:
        """The light declaration."""
        return self.offer.load()

    @property
    def options(self) -> Options:
        """The options it is tried with: those with which it is smallest, unless others are chosen."""
        return self.chosen or self.offer.options(self.declaration.tiny)

    def build(self, **context: Any) -> Any:
        """The part, with the same weights every time.

        `context` replaces what the kit would give its kind: a tokenizer, a backbone, ...
        """
        from diffmidi_core.testing.surroundings import context_of, same_weights

        with same_weights():
            return self.offer.build(self.options, **(context or context_of(self.offer.kind)))


Check = Callable[[Component], None]


def checks_of(kind: str) -> ModuleType:
    """The module with the checks of one kind. Beside them stands `use(part)`, which does with it what a run does."""
    return importlib.import_module(f"diffmidi_core.testing.checks.{kind}")


FURTHER = {
    "process": ("process_bound", "process_noise"),
    "sampler": ("sampler_odds",),
    "tokenizer": ("tokenizer_notes", "tokenizer_plan"),
}
"""Modules with more checks of a kind."""


def checks_for(kind: str) -> tuple[Check, ...]:
    """Every check of a kind: the functions named check_* in the kind's own module, and those that it shares."""
    declared = () if KINDS[kind].folder else ("declared",)
    part = ("part",) if KINDS[kind].contract else ()
    modules = [checks_of(each) for each in ("every", *declared, *part, kind, *FURTHER.get(kind, ()))]
    found = (each for module in modules for name, each in vars(module).items() if name.startswith("check_"))
    return tuple(_on_one_thread(check) for check in found)


def _on_one_thread(check: Check) -> Check:
    """Tensors this small gain nothing from threads, and lose much (10x) where something else wants the cores too."""

    @functools.wraps(check)
    def alone(component: Component) -> None:
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            check(component)
        finally:
            torch.set_num_threads(threads)

    return alone


def installed_by(package: str) -> list[Offer]:
    """Everything that an installed package offers, or what `module:Class` is (`own_offers`).

    Raises UsageError where that is nothing, with the nearest name.
    """
    every = [offer for kind in KINDS for offer in offers(kind)]
    found = [offer for offer in every if same(offer.package, package)] or own_offers(package)
    if not found:
        packages = sorted({offer.package for offer in every})
        near = difflib.get_close_matches(package, packages, n=1)
        said = f" Did you mean '{near[0]}'?" if near else ""
        raise UsageError(
            f"no installed package '{package}' offers parts to diffmidi.{said} Packages that do: {', '.join(packages)}."
        )
    return found


def failures(offer: Offer) -> Iterator[tuple[str, Exception | None]]:
    """Run every check on an offer: its name, and what it raised, or None where it passed.

    A broken offer fails check_builds, and nothing more is tried. A part that ends the program fails the check.
    """
    if (problem := offer.problem()) is not None:
        yield "check_builds", BrokenPluginError(problem)
        return
    for check in checks_for(offer.kind):
        try:
            check(Component(offer))
        except SystemExit as error:
            ended = ConformanceError(f"it ends the program (SystemExit: {error.code}): raise DiffmidiError instead")
            yield check.__name__, ended.with_traceback(error.__traceback__)
        except Exception as error:
            yield check.__name__, error
        else:
            yield check.__name__, None


def promise_of(offer: Offer, check: str) -> str:
    """What a check is about: the first line of its docstring; "" where there is no such check."""
    found = [each.__doc__ or "" for each in checks_for(offer.kind) if each.__name__ == check]
    return found[0].strip().splitlines()[0] if found and found[0].strip() else ""


def where(offer: Offer, error: BaseException) -> str:
    """file:line to look at: the deepest line of the part's own package that was running, else where its class is."""
    try:
        declared = offer.described()
    except BrokenPluginError:
        return ""
    if not isinstance(declared, Declaration):
        return ""
    try:
        implementation = offer.implementation()
        file = inspect.getsourcefile(implementation)
        own = Path(file or "").parent
        first = inspect.getsourcelines(implementation)[1]
    except (BrokenPluginError, OSError, TypeError):
        return ""
    found = f"{file}:{first}"
    seen: BaseException | None = error
    while seen is not None:
        lines = [each for each in traceback.extract_tb(seen.__traceback__) if Path(each.filename).is_relative_to(own)]
        if lines:
            found = f"{lines[-1].filename}:{lines[-1].lineno}"
        seen = seen.__cause__
    return found
