"""Presets: named sets of parts and options, laid under the config file, the flags and -o. Packages offer them.

The default one names a run's parts where nobody chose any.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from diffmidi_core.declaration import SETTINGS
from diffmidi_core.errors import BrokenPluginError, DiffmidiError, UsageError
from diffmidi_core.registry import find, offers
from diffmidi_core.sections import BUILTIN_PACKAGE

DEFAULT = "best"
"""The preset of a run that names none."""

Parts = Mapping[str, Any]
"""Kind to part, and plural kind to a list of them, as a config file has them."""


def parts_of(name: str | None) -> Parts:
    """What a preset sets; nothing where there is none. Raises UsageError where it is not installed."""
    return find("preset", name).preset().parts if name is not None else {}


def default_names() -> dict[str, Any]:
    """The parts of the default preset, by their names alone: their options are their own defaults."""
    return {
        kind: {"name": str(chosen["name"])}
        if isinstance(chosen, Mapping)
        else [{"name": str(part["name"])} for part in chosen]
        for kind, chosen in parts_of(DEFAULT).items()
        if kind not in SETTINGS
    }


def summaries() -> str:
    """Every preset, and what each of ours is, for the help: "best (masked diffusion, the lowest bound), ..."."""
    told = []
    for offer in offers("preset"):
        # Asking for help runs no code of a package that nobody chose, and waits for none.
        ours = offer.package == BUILTIN_PACKAGE
        told.append(f"{offer.spelling} ({offer.preset().summary})" if ours else offer.spelling)
    return ", ".join(told)


def began_from(tree: Mapping[str, Any], asked: str | None) -> None:
    """Raises UsageError where a config `tree` that began from one preset is asked for another: it holds all options."""
    if asked is not None and tree.get("preset", asked) != asked:
        raise UsageError(
            f"--preset {asked}: this config began from {tree['preset'] or 'none'}, and its options are filled in: "
            "begin a new run without it, or set options by -o."
        )


def chosen_parts(tree: dict[str, Any], *, process: str | None, asked: bool) -> Parts:
    """What the preset that a config `tree` names sets, or the default one where it names none.

    `process` is the one that was chosen, if any: under another than its own there is no preset, which the tree says
    from then on. Raises UsageError where that one was `asked` for, or where none of its name is installed.
    """
    name = tree.setdefault("preset", DEFAULT)
    if not isinstance(name, str | None):
        raise UsageError(f"preset: a preset is chosen by its name (given: {name!r}).")
    parts = parts_of(name)
    if process is None or not parts or process == parts["process"]["name"]:
        _check(name, parts)
        return parts
    if asked:
        raise UsageError(
            f"preset '{name}' sets up process {parts['process']['name']}, and process '{process}' was chosen: "
            "leave out one of the two."
        )
    tree["preset"] = None
    return {}


def _check(name: str | None, parts: Parts) -> None:
    """Raises BrokenPluginError where others' preset names parts or options that there are not."""
    if name is None or (offer := find("preset", name)).package == BUILTIN_PACKAGE:
        return
    for many, chosen in parts.items():
        if many in SETTINGS:
            continue
        kind = many if isinstance(chosen, Mapping) else many.removesuffix("s")
        for part in [chosen] if isinstance(chosen, Mapping) else chosen:
            package, options = part.get("package"), part.get("options", {})
            try:
                find(kind, f"{package}:{part['name']}" if package else part["name"]).options(options)
            except BrokenPluginError:
                raise
            except UsageError as error:
                raise BrokenPluginError(
                    f"{offer.title} is broken: it sets {kind} '{part['name']}', and {error}"
                ) from error


def lay_under(tree: dict[str, Any], parts: Parts) -> None:
    """What a config `tree` has not chosen yet becomes the preset's: parts, and options where the part is the same."""
    for kind, part in parts.items():
        if kind in SETTINGS:
            chosen = tree.get(kind) or {}
            tree[kind] = {**part, **chosen} if isinstance(chosen, Mapping) else chosen
            continue
        chosen = tree.setdefault(kind, _bare(part))
        if isinstance(part, Mapping) and isinstance(chosen, dict) and chosen.get("name") == part["name"]:
            chosen["options"] = {**copy.deepcopy(dict(part.get("options", {}))), **(chosen.get("options") or {})}


def _bare(part: Any) -> Any:
    """A chosen part without its options, to lay them under it; a list of parts as it is."""
    if isinstance(part, Mapping):
        return {key: value for key, value in part.items() if key != "options"}
    return [copy.deepcopy(dict(entry)) for entry in part]


def departures(config: Mapping[str, Any]) -> Sequence[str] | None:
    """Where a whole config departs from the preset it began from: dotted names of its parts and their options.

    Lists of parts are not compared, nor how long it was trained. None where that preset is not installed here.
    """
    try:
        parts = parts_of(config.get("preset"))
    except DiffmidiError:
        return None
    found = []
    for kind, part in parts.items():
        if kind in SETTINGS or not isinstance(part, Mapping):
            continue
        if config[kind]["name"] != part["name"]:
            found.append(kind)
        else:
            options = part.get("options", {})
            found += [f"{kind}.{key}" for key, value in options.items() if config[kind]["options"].get(key) != value]
    return found
