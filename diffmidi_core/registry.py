"""Which parts are installed: entry points, read from package metadata without importing anything.

`offers(kind)` lists, `find(kind, name)` picks one, `Offer.load()` imports its light declaration, and `Offer.build()`
imports the class behind it and makes one. A broken package hurts only its own names. Presets are offered as parts are;
they have no class, and `Offer.preset()` is all there is to them.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from diffmidi_core.declaration import (
    ControlDeclaration,
    Declaration,
    Described,
    MetricDeclaration,
    Options,
    Preset,
    ProcessDeclaration,
    SamplerDeclaration,
    SourceDeclaration,
)
from diffmidi_core.errors import BrokenPluginError, DiffmidiError, UsageError
from diffmidi_core.kinds import KINDS, Kind
from diffmidi_core.packages import exists, folder_of, origin_of, summary_of
from diffmidi_core.sections import BUILTIN_PACKAGE
from diffmidi_core.wording import describe_all, did_you_mean, short

D = TypeVar("D", bound=Described)


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

    def described(self) -> Described:
        """Import what the entry point names (light), a part's declaration or a preset. Raises BrokenPluginError.

        Of a model nothing is imported: its one line is its package's own.
        """
        if KINDS[self.kind].folder:
            return Described(summary_of(self.package))
        try:
            found = EntryPoint(self.name, self.target, KINDS[self.kind].group).load()
        except (Exception, SystemExit) as error:
            raise self._broken(f"its declaration {self.target} cannot be imported ({short(error)})") from error
        wanted = KINDS[self.kind].declaration
        if not isinstance(found, wanted):
            raise self._broken(f"{self.target} is of type {type(found).__name__}, not a diffmidi {wanted.__name__}")
        return found

    def load(self) -> Declaration:
        """Import a part's declaration (light). Raises BrokenPluginError, whatever the plugin's module raises."""
        return self._as(Declaration)

    def process(self) -> ProcessDeclaration:
        """The same of a process, which says more of itself."""
        return self._as(ProcessDeclaration)

    def metric(self) -> MetricDeclaration:
        """The same of a metric."""
        return self._as(MetricDeclaration)

    def sampler(self) -> SamplerDeclaration:
        """The same of a sampler."""
        return self._as(SamplerDeclaration)

    def control(self) -> ControlDeclaration:
        """The same of a control."""
        return self._as(ControlDeclaration)

    def preset(self) -> Preset:
        """The preset that this is."""
        return self._as(Preset)

    def _as(self, kind: type[D]) -> D:
        found = self.described()
        if not isinstance(found, kind):
            raise TypeError(f"a {self.kind} is not declared by {kind.__name__}.")
        return found

    def folder(self) -> Path:
        """Where the files of a model lie, found without importing its package. Raises BrokenPluginError."""
        package = folder_of(self.target)
        if package is None:
            raise self._broken(f"there is no package {self.target}")
        if not (found := package / KINDS[self.kind].folder).is_dir():
            raise self._broken(f"its package has no folder {found}")
        return found

    def takes(self, data: str) -> bool:
        """Whether a source claims what is given as --data; one that cannot be loaded claims nothing."""
        with suppress(BrokenPluginError):
            patterns = self._as(SourceDeclaration).takes
            return any(fnmatch.fnmatchcase(data.lower(), pattern.lower()) for pattern in patterns)
        return False

    def was(self, name: str) -> bool:
        """Whether the part had this name once; one that cannot be loaded does not say."""
        with suppress(BrokenPluginError):
            declaration = self.described()
            return isinstance(declaration, Declaration) and name in declaration.was
        return False

    def problem(self) -> str | None:
        """Why this offer cannot be used, or None. Imports the declaration, never the implementation."""
        try:
            if KINDS[self.kind].folder:
                self.folder()
            declaration = self.described()
            if not isinstance(declaration, Declaration):
                return None
            self._check_needs(declaration)
        except BrokenPluginError as error:
            return str(error)
        module = declaration.implementation.partition(":")[0]
        return None if exists(module) else str(self._broken(f"its implementation {module} does not exist"))

    def fingerprint(self, options: Mapping[str, Any]) -> str:
        """Names the part's class and its options: 16 hex digits."""
        identity = [self.kind, self.package, self.load().implementation, options]
        return hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=8).hexdigest()

    def options(self, values: Mapping[str, Any]) -> Options:
        """Check option values against the declaration. Raises UsageError that names the field and the reason."""
        return check_options(self, self.load().options, values)

    def implementation(self) -> type[Any]:
        """Import the class and check that it keeps its kind's contract. Raises BrokenPluginError."""
        declaration = self.load()
        self._check_needs(declaration)
        try:
            found = _resolve(declaration.implementation)
        except (Exception, SystemExit) as error:
            raise self._broken(f"{declaration.implementation} cannot be imported ({short(error)})") from error
        contract = _resolve(KINDS[self.kind].contract)
        if not (isinstance(found, type) and issubclass(found, contract)):
            raise self._broken(f"{declaration.implementation} is not a subclass of {contract.__name__}")
        if inspect.isabstract(found):
            missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
            raise self._broken(
                f"{declaration.implementation} leaves out what a {contract.__name__} must have: {missing}"
            )
        return found

    def build(self, values: Mapping[str, Any] | Options | None = None, /, **context: Any) -> Any:
        """Make the part from option values and what its kind is given (see contracts/).

        Raises what the part itself says to the user (DiffmidiError), and BrokenPluginError for anything else.
        """
        options = values if isinstance(values, Options) else self.options(values or {})
        implementation = self.implementation()
        try:
            return implementation(options, **context)
        except DiffmidiError:
            raise
        except (Exception, SystemExit) as error:
            raise BrokenPluginError(
                f"{self.kind} '{self.name}' of {self.origin} cannot be built ({short(error)})."
            ) from error

    @contextmanager
    def blamed(self, doing: str) -> Iterator[None]:
        """Whatever the part raises while it is `doing` something ("training"), as one sentence that names its package.

        Leaving by SystemExit is such a failure; what it says to the user itself (DiffmidiError) stays as it is.
        """
        try:
            yield
        except DiffmidiError:
            raise
        except (Exception, SystemExit) as error:
            raise BrokenPluginError(
                f"{self.kind} '{self.name}' of {self.origin} failed while {doing} ({short(error)})."
            ) from error

    def _check_needs(self, declaration: Declaration) -> None:
        missing = [module for module in declaration.needs if not exists(module)]
        if missing:
            are = "which is" if len(missing) == 1 else "which are"
            raise self._broken(f"it needs {', '.join(missing)}, {are} not installed")

    def _broken(self, why: str) -> BrokenPluginError:
        return BrokenPluginError(f"{self.kind} '{self.name}' of {self.origin} is broken: {why}.")


@cache
def _installed() -> Mapping[str, tuple[Offer, ...]]:
    everything, origin = entry_points(), cache(origin_of)

    def of(kind: Kind) -> set[Offer]:
        entries = everything.select(group=kind.group)
        return {Offer(kind.name, entry.name, *origin(entry.dist), entry.value) for entry in entries}

    return {kind.name: tuple(sorted(of(kind), key=_order)) for kind in KINDS.values()}


def _order(offer: Offer) -> tuple[object, ...]:
    return offer.package != BUILTIN_PACKAGE, offer.name, offer.package, offer.target


def forget_installed() -> None:
    """Read the metadata again at the next lookup: something was installed while this process runs."""
    _installed.cache_clear()


def offers(kind: str) -> tuple[Offer, ...]:
    """Every installed offer of a kind, ours first; from metadata, without importing anything."""
    if kind not in KINDS:
        raise UsageError(f"there is no kind '{kind}'.{did_you_mean(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    return _installed()[kind]


def find(kind: str, name: str) -> Offer:
    """The offer that a name means: `name` (ours, or the only one) or `package:name`. Raises UsageError.

    A package's part that has been renamed since is found by the name it had (`Declaration.was`), with the package.
    """
    installed = offers(kind)
    package, _, bare = name.rpartition(":")
    matches = [offer for offer in installed if offer.name == bare and (not package or same(package, offer.package))]
    if package and not matches:
        matches = [offer for offer in installed if same(package, offer.package) and offer.was(bare)]
    if not package and any(offer.package == BUILTIN_PACKAGE for offer in matches):
        matches = [offer for offer in matches if offer.package == BUILTIN_PACKAGE]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(
            f"{kind} '{name}' is offered by {' and '.join(offer.origin for offer in matches)}. "
            f"Choose one: {' or '.join(offer.spelling for offer in matches)}."
        )
    spellings = [offer.spelling for offer in installed]
    near = did_you_mean(name, {*spellings, *(offer.name for offer in installed)})
    raise UsageError(f"no {kind} '{name}' is installed.{near} Installed: {', '.join(spellings) or 'none'}.")


def source_of(data: str | None) -> str:
    """The source that takes these data (`SourceDeclaration.takes`): a folder that is there is claimed with a final `/`.

    Ours are asked before others', which are not imported where ours answer; what no one claims is for whoever takes
    folders, to say that it is not there.
    """
    there = data is not None and Path(data).expanduser().is_dir()
    text = f"{(data or '').rstrip('/')}/" if there else data or ""
    installed = offers("source")
    ours = [offer for offer in installed if offer.package == BUILTIN_PACKAGE]
    found = (
        [offer for offer in ours if offer.takes(text)]
        or [offer for offer in installed if offer not in ours and offer.takes(text)]
        or [offer for offer in ours if offer.takes(f"{text}/")]
    )
    if len(found) != 1:
        names = " or ".join(f"--source {offer.spelling}" for offer in found or installed)
        raise UsageError(
            f"{'several sources take' if found else 'no source takes'} --data {data}: choose one, {names}."
        )
    return found[0].spelling


def same(package: str, other: str) -> bool:
    """Whether two spellings name one package: case, `-`, `_` and `.` do not count (PyPA name normalisation)."""
    return _normal(package) == _normal(other)


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def check_options(offer: Offer, model: type[Options], values: Mapping[str, Any]) -> Options:
    """Validate option values; one sentence for each mistake, with the nearest right name."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        mistakes = describe_all(error, model, offer.kind)
        raise UsageError(f"{offer.kind} '{offer.name}' ({offer.origin}): {mistakes}") from None
    except Exception as error:  # a plugin's validator may raise anything
        raise BrokenPluginError(
            f"the options of {offer.kind} '{offer.name}' of {offer.origin} cannot be checked ({short(error)})."
        ) from error


def _resolve(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
