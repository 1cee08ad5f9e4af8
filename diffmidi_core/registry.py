"""Which parts are installed: entry points, read from package metadata without importing anything.

`offers(kind)` lists, `find(kind, name)` picks one, `Offer.load()` imports its light declaration, and `Offer.build()`
imports the class behind it and makes one. A broken package hurts only its own names.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from diffmidi_core.declaration import Declaration, Options
from diffmidi_core.errors import BrokenPluginError, UsageError

BUILTIN_PACKAGE = "diffmidi"


@dataclass(frozen=True)
class Kind:
    """One kind of choice: its name on the command line, its entry-point group and the contract its classes keep."""

    name: str
    group: str
    contract: str


KINDS: Mapping[str, Kind] = {
    name: Kind(name, f"diffmidi.{plural}", contract if ":" in contract else f"diffmidi_core.contracts.{name}:{contract}")
    for name, plural, contract in (
        ("tokenizer", "tokenizers", "Tokenizer"),
        ("backbone", "backbones", "Backbone"),
        ("schedule", "schedules", "NoiseSchedule"),
        ("process", "processes", "Process"),
        ("sampler", "samplers", "Sampler"),
        ("metric", "metrics", "Metric"),
        ("source", "sources", "Source"),
        ("renderer", "renderers", "Renderer"),
        ("hook", "hooks", "builtins:object"),
    )
}


@dataclass(frozen=True)
class Offer:
    """A part that some installed package offers: known from metadata alone, until it is loaded."""

    kind: str
    name: str
    package: str
    version: str
    target: str

    @property
    def origin(self) -> str:
        """Who to blame: package and version."""
        return f"{self.package} {self.version}"

    @property
    def spelling(self) -> str:
        """The name that means this offer and no other, whatever else is installed."""
        return self.name if self.package == BUILTIN_PACKAGE else f"{self.package}:{self.name}"

    def load(self) -> Declaration:
        """Import the declaration (light). Raises BrokenPluginError, whatever the plugin's module raises."""
        try:
            declaration = EntryPoint(self.name, self.target, KINDS[self.kind].group).load()
        except Exception as error:
            raise self._broken(f"its declaration {self.target} cannot be imported ({_short(error)})") from error
        if not isinstance(declaration, Declaration):
            raise self._broken(f"{self.target} is a {type(declaration).__name__}, not a diffmidi Declaration")
        return declaration

    def problem(self) -> str | None:
        """Why this offer cannot be used, or None. Imports the declaration, never the implementation."""
        try:
            declaration = self.load()
        except BrokenPluginError as error:
            return str(error)
        missing = [module for module in declaration.needs if not _exists(module)]
        if missing:
            return str(self._broken(f"it needs {', '.join(missing)}, which is not installed"))
        module = declaration.implementation.partition(":")[0]
        if not _exists(module):
            return str(self._broken(f"its implementation {module} does not exist"))
        return None

    def options(self, values: Mapping[str, Any]) -> Options:
        """Check option values against the declaration. Raises UsageError that names the field and says why."""
        return check_options(self, self.load().options, values)

    def implementation(self) -> type[Any]:
        """Import the class and check that it keeps its kind's contract."""
        declaration = self.load()
        try:
            found = _resolve(declaration.implementation)
        except Exception as error:
            raise self._broken(f"{declaration.implementation} cannot be imported ({_short(error)})") from error
        contract = _resolve(KINDS[self.kind].contract)
        if not (isinstance(found, type) and issubclass(found, contract)):
            raise self._broken(f"{declaration.implementation} is not a subclass of {contract.__name__}")
        return found

    def build(self, values: Mapping[str, Any] | Options | None = None, /, **context: Any) -> Any:
        """Make the part from option values and what its kind is given (see contracts/)."""
        options = values if isinstance(values, Options) else self.options(values or {})
        return self.implementation()(options, **context)

    def _broken(self, why: str) -> BrokenPluginError:
        return BrokenPluginError(f"{self.kind} '{self.name}' of {self.origin} is broken: {why}.")


@cache
def _installed(kind: str) -> tuple[Offer, ...]:
    found = {
        Offer(
            kind,
            entry.name,
            entry.dist.name if entry.dist else "unknown",
            entry.dist.version if entry.dist else "",
            entry.value,
        )
        for entry in entry_points(group=KINDS[kind].group)
    }
    return tuple(sorted(found, key=lambda offer: (offer.package != BUILTIN_PACKAGE, offer.name, offer.package)))


def offers(kind: str) -> tuple[Offer, ...]:
    """Every installed offer of a kind, ours first; from metadata, without importing anything."""
    if kind not in KINDS:
        raise UsageError(f"no kind '{kind}'.{_did_you_mean(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    return _installed(kind)


def find(kind: str, name: str) -> Offer:
    """The offer that a name means: `name` (ours, or the only one) or `package:name`. Raises UsageError."""
    installed = offers(kind)
    package, _, bare = name.rpartition(":")
    matches = [offer for offer in installed if offer.name == bare and package in ("", offer.package)]
    if not package and any(offer.package == BUILTIN_PACKAGE for offer in matches):
        matches = [offer for offer in matches if offer.package == BUILTIN_PACKAGE]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(
            f"{kind} '{name}' is offered by {' and '.join(offer.origin for offer in matches)}. "
            f"Say which: {' or '.join(offer.spelling for offer in matches)}."
        )
    names = [offer.spelling for offer in installed]
    listed = ", ".join(names) if names else "none"
    raise UsageError(f"no {kind} '{name}' is installed.{_did_you_mean(name, names)} Installed: {listed}.")


def check_options(offer: Offer, model: type[Options], values: Mapping[str, Any]) -> Options:
    """Validate option values; one sentence for each mistake, with the nearest right name."""
    from pydantic import ValidationError

    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        said = [describe(mistake, model, offer.kind) for mistake in error.errors(include_url=False)]
        raise UsageError(f"{offer.kind} '{offer.name}' ({offer.origin}): {' '.join(said)}") from None


def describe(mistake: Mapping[str, Any], model: type[BaseModelLike], section: str) -> str:
    """One pydantic error in our words: the dotted name, what is wrong with it, and the nearest right name."""
    name = ".".join(str(part) for part in mistake["loc"])
    dotted = f"{section}.{name}" if name else section
    if mistake["type"] == "extra_forbidden":
        names = list(model.model_fields)
        return f"there is no option {dotted}.{_did_you_mean(name, names)} Options: {', '.join(names) or 'none'}."
    said = str(mistake["msg"]).removeprefix("Value error, ")
    given = f" (given: {mistake['input']!r})" if name else ""
    return f"{dotted}: {said[0].lower()}{said[1:].rstrip('.')}{given}."


BaseModelLike = Any


def _did_you_mean(name: str, names: Any) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def _resolve(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
