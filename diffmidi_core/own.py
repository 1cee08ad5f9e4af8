"""Parts of a user's own module or file, without a package: `module:Class`, once the user has named that module.

Opening a stranger's run must run no code because the run says so. So a module is taken where the program has imported
it (a notebook's own classes are in `__main__`), or where the user has allowed it (`allowing`); such a one is imported
when a part of it is chosen.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from diffmidi_core.allowing import MODULE, allowed
from diffmidi_core.aside import output_aside
from diffmidi_core.declaration import (
    Declaration,
    Described,
    MetricDeclaration,
    Options,
    ProcessDeclaration,
    SamplerDeclaration,
)
from diffmidi_core.errors import BrokenPluginError, UsageError
from diffmidi_core.kinds import KINDS, declares
from diffmidi_core.wording import printable, short

IMPORTED = "(imported)"
"""Stands where other parts have the version of their package."""


MAIN = "__main__"
"""The program or notebook itself."""


def spec_of(part: str | type[Any]) -> str:
    """What a part is chosen by: a name as it is, and a class of the program's own as `module:Class`.

    Raises UsageError for a class that is inside of a function or of another class.
    """
    if isinstance(part, str):
        return part
    if "." in part.__qualname__:
        raise UsageError(
            f"class {part.__name__} is written inside of a function or class, where no run finds it again: write it at "
            "the top of its module."
        )
    return f"{part.__module__}:{part.__name__}"


def own_part(kind: str, spec: str) -> Described | None:
    """What `module:Name` declares: a declaration of the kind, or a class that keeps its contract.

    None where the user has named no such module. Raises BrokenPluginError for what is no such part.
    """
    module, _, name = spec.rpartition(":")
    wanted, contract = KINDS[kind].declaration, KINDS[kind].contract
    if not (contract and MODULE.fullmatch(module)) or (there := _module(module, kind)) is None:
        return None
    blame = f"{kind} '{name}' of {module} {IMPORTED} is broken:"
    found = vars(there).get(name)  # and no `__getattr__` of the module, which would run
    if found is None and module == MAIN:
        raise BrokenPluginError(
            f"{kind} '{printable(name)}' was written in the program or notebook that chose it, and this one has no "
            "such class: write it here, too, under the same name, or keep it in a file of its own that both import."
        )
    if found is None:
        raise BrokenPluginError(f"{blame} there is no {printable(name)} in {module}.")
    if isinstance(found, Described) and declares(found, kind):
        return found
    where, _, promised = contract.partition(":")
    if not (isinstance(found, type) and issubclass(found, getattr(importlib.import_module(where), promised))):
        raise BrokenPluginError(f"{blame} it is no subclass of {promised}, and no diffmidi {wanted.__name__}.")
    if issubclass(wanted, ProcessDeclaration | SamplerDeclaration):
        raise BrokenPluginError(
            f"{blame} a {kind} says which family it is of, so write declared = {wanted.__name__}('what it is', "
            f"'{module}:{name}', family=...) and choose {module}:declared."
        )
    summary = " ".join((found.__doc__ or name).strip().partition("\n\n")[0].split())
    assert issubclass(wanted, Declaration)
    more: dict[str, Any] = {"title": name} if issubclass(wanted, MetricDeclaration) else {}
    return wanted(summary, implementation=f"{module}:{name}", options=_options(found, blame), **more)


def _options(implementation: type[Any], blame: str) -> type[Options]:
    """The options of a class that nothing declares: what it says its `options` are."""
    for each in implementation.__mro__:
        options: Any = inspect.get_annotations(each).get("options")
        if isinstance(options, str):
            options = vars(sys.modules[each.__module__]).get(options, options)
        if isinstance(options, type) and issubclass(options, Options):
            return options
        if options is not None:
            why = f"its options are {options!r}, which is no subclass of diffmidi.api.Options."
            raise BrokenPluginError(f"{blame} {why}")
    return Options


def _module(name: str, kind: str) -> ModuleType | None:
    names = allowed()
    if name not in names:
        return sys.modules.get(name)
    file = names[name]
    if file is not None and str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    try:
        with output_aside():
            there = importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise BrokenPluginError(f"{kind}: {printable(file or name)} cannot be imported ({short(error)}).") from error
    if file is not None and Path(there.__file__ or "").resolve() != file:
        raise BrokenPluginError(
            f"{kind}: {printable(file)} cannot be imported, as another module is called {name}: rename the file."
        )
    return there
