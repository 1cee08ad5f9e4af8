"""One part that is installed: its declaration, the class behind it, and who is to blame where something is wrong.

`Offer.load()` imports the light declaration, and `Offer.build()` imports the class behind it and makes one. Presets are
offered as parts are; they have no class, and `Offer.preset()` is all there is to them.
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
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from diffmidi_core.aside import output_aside
from diffmidi_core.blame import culprit, remember
from diffmidi_core.compatible import misfit, unmet
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
from diffmidi_core.kinds import KINDS, declares
from diffmidi_core.own import IMPORTED, own_part
from diffmidi_core.packages import exists, folder_of, summary_of
from diffmidi_core.sections import BUILTIN_PACKAGE
from diffmidi_core.wording import cut, describe_all, printable, short

D = TypeVar("D", bound=Described)


@dataclass(frozen=True)
class Offer:
    """A part that some installed package offers: known from metadata alone, until it is loaded.

    Attributes:
        package, version: who offers it; of a user's own module its name and `own.IMPORTED`.
        target: what its entry point names.
        requires: what its package requires of diffmidi, as its metadata have it ("diffmidi>=1.2").
    """

    kind: str
    name: str
    package: str
    version: str
    target: str
    requires: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Who to blame: package and version."""
        return f"{self.package} {self.version}"

    @property
    def spelling(self) -> str:
        """The name that means this offer and no other, whatever else is installed."""
        return self.name if self.package == BUILTIN_PACKAGE else f"{self.package}:{self.name}"

    @property
    def title(self) -> str:
        """What sentences call it: "schedule 'power' of acme-midi 1.0"."""
        return f"{self.kind} '{printable(self.name)}' of {self.origin}"

    def described(self) -> Described:
        """Import what the entry point names (light), a part's declaration or a preset. Raises BrokenPluginError.

        Of a model nothing is imported: its one line is its package's own.
        """
        kind = KINDS[self.kind]
        for why in (_misnamed(self.name), unmet(self.requires)):
            if why:
                raise self._broken(why)
        if kind.folder:
            return Described(summary_of(self.package))
        if self.version == IMPORTED:
            found: object = own_part(self.kind, self.target)
        else:
            found = self._imported()
        if not (isinstance(found, Described) and declares(found, self.kind)):
            told = f"{self.target} is of type {type(found).__name__}, not a diffmidi {kind.declaration.__name__}"
            raise self._broken(told)
        if why := misfit(found.contract, kind, self.package):
            raise self._broken(why)
        return found

    def _imported(self) -> object:
        """What the entry point names."""
        module, _, name = self.target.partition(":")
        if not re.fullmatch(r"\w+(\.\w+)*:\w+(\.\w+)*", self.target):
            raise self._broken(f"its entry point is 'package.module:name', not {cut(printable(self.target))!r}")
        with self._told(f"its declaration {self.target} cannot be imported"):
            return _resolve(module, name)

    def is_there(self) -> bool:
        """Of a class of a user's own module: whether the user has named that module. Raises BrokenPluginError."""
        return own_part(self.kind, self.target) is not None

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
        return self.inspected()[0]

    def inspected(self) -> tuple[str | None, Described | None]:
        """The same, and what it declares where that can be read; what fails to be imported is tried once."""
        declaration = None
        try:
            declaration = self.described()
            if KINDS[self.kind].folder:
                self.folder()
            if not isinstance(declaration, Declaration):
                return None, declaration
            self._check_needs(declaration)
            module = declaration.implementation.partition(":")[0]
            if not (exists(module) or self.version == IMPORTED):
                raise self._broken(f"its implementation {module} does not exist")
        except BrokenPluginError as error:
            return str(error), declaration
        return None, declaration

    def fingerprint(self, options: Mapping[str, Any]) -> str:
        """Names the part's class and its options: 16 hex digits."""
        identity = [self.kind, self.package, self.load().implementation, options]
        return hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=8).hexdigest()

    def options(self, values: Mapping[str, Any]) -> Options:
        """Check option values against the declaration. Raises UsageError that names the field and the reason."""
        return check_options(self, self.load().options, values)

    def merged(self, below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
        """Option values laid over others (`Options.merged`), not checked yet."""
        options = self.load().options
        with self.blamed("laying options over each other"):
            return dict(options.merged(below, above))

    def implementation(self) -> type[Any]:
        """Import the class and check that it keeps its kind's contract. Raises BrokenPluginError."""
        declaration = self.load()
        self._check_needs(declaration)
        with self._told(f"{declaration.implementation} cannot be imported"):
            found = _resolve(*declaration.implementation.split(":"))
        contract = _resolve(*KINDS[self.kind].contract.split(":"))
        if not (isinstance(found, type) and issubclass(found, contract)):
            raise self._broken(f"{declaration.implementation} is not a subclass of {contract.__name__}")
        if inspect.isabstract(found):
            missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
            raise self._broken(
                f"{declaration.implementation} leaves out what a {contract.__name__} must have: {missing}"
            )
        remember(found, self)
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
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            if (other := culprit(error)) not in (None, self):
                raise other.failed(f"building {self.kind} '{self.name}'", error) from error
            raise BrokenPluginError(f"{self.title} cannot be built ({short(error)}).") from error

    @contextmanager
    def blamed(self, doing: str) -> Iterator[None]:
        """Whatever the part raises while it is `doing` something ("training"), as one sentence that names its package.

        That of another part, where it was raised in one. Leaving by SystemExit is such a failure; what it says to the
        user itself (DiffmidiError) stays as it is.
        """
        try:
            yield
        except (DiffmidiError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            raise (culprit(error) or self).failed(doing, error) from error

    def failed(self, doing: str, error: BaseException) -> BrokenPluginError:
        """The sentence that the part raised `error` while it was `doing` something."""
        return BrokenPluginError(f"{self.title} failed while {doing} ({short(error)}).")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Whatever an import raises, as a sentence; what it prints is kept out of what a command prints."""
        try:
            with output_aside():
                yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._broken(f"{what} ({short(error)})") from error

    def _check_needs(self, declaration: Declaration) -> None:
        missing = [module for module in declaration.needs if not exists(module)]
        if missing:
            are = "which is" if len(missing) == 1 else "which are"
            raise self._broken(f"it needs {', '.join(missing)}, {are} not installed")

    def _broken(self, why: str) -> BrokenPluginError:
        return BrokenPluginError(f"{self.title} is broken: {why}.")


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


def _misnamed(name: str) -> str:
    """What is wrong with a name that nobody could choose; "" of one that is fine."""
    fine = re.fullmatch(r"[^\s:/=,][^:/=,]*", name) and name.isprintable()
    return "" if fine else "a name is of letters, digits, _, - and ."


def _resolve(module: str, attribute: str) -> Any:
    found: Any = importlib.import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    return found
