"""Layers of a config: which of them a value came from, what differs from the defaults, and from another config.

A config is looked at here as a flat mapping of dotted names: "train.lr", "backbone" (a part's name), "backbone.size"
(an option of it), "metrics" (the names of a list of parts), "metric.baselines.order" (an option of one of them).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diffmidi_core.errors import UsageError
from diffmidi_core.presets import parts_of
from diffmidi_core.sections import Part

_PRESET = "preset "
MANY = {"metrics": "metric", "renderers": "renderer", "hooks": "hook"}
"""Lists of parts, and what `-o` calls one of them."""
MANY_OF = {kind: many for many, kind in MANY.items()}


def assignments_of(assignments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`["tokenizer.grid=24"]` to `{"tokenizer": {"grid": 24}}`. Values are JSON where they parse, else text.

    Raises UsageError for what is not `section.key=value`.
    """
    sections: dict[str, dict[str, Any]] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and section and key):
            raise UsageError(f"-o takes section.key=value, such as tokenizer.grid=24 (given: {assignment!r}).")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        sections.setdefault(section, {})[key] = value
    return sections


def one_end(tree: dict[str, Any], flags: Mapping[str, Any], assignments: Sequence[str]) -> None:
    """Iterations that are given undo the minutes of the file whose tree this is, since both say where training ends.

    Raises UsageError where both are given.
    """
    given = {*flags, *(f"train.{key}" for key in assignments_of(assignments).get("train", {}))}
    if {"train.iterations", "train.minutes"} <= given:
        raise UsageError("--iterations and --minutes both say how long to train: give one of them.")
    if "train.iterations" in given and isinstance(tree.get("train"), dict):
        tree["train"] = {**tree["train"], "minutes": None}


def taken_unnamed(tree: dict[str, Any], kinds: Collection[str]) -> dict[str, dict[str, Any]]:
    """Takes from a config's tree the parts of these kinds that have options at most; kind to those options."""
    found = {}
    for kind in kinds:
        part = tree.get(kind)
        if isinstance(part, Mapping) and {*part} <= {"options"} and isinstance(part.get("options", {}), Mapping):
            found[kind] = dict(tree.pop(kind).get("options", {}))
    return found


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config, or a part of one, by dotted names; whose a part is and its fingerprint are left out."""
    return dict(_pairs(config))


def _pairs(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if name == "origin":
            continue
        if name in MANY and isinstance(value, Sequence):
            parts = [part for part in value if isinstance(part, Mapping)]
            yield name, [_label(part) for part in parts]
            for part in parts:
                options = _options(part).items()
                yield from ((f"{MANY[name]}.{part.get('name')}.{key}", inner) for key, inner in options)
        elif isinstance(value, Mapping) and isinstance(value.get("name"), str):
            yield name, _label(value)
            yield from ((f"{name}.{key}", inner) for key, inner in _options(value).items())
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _options(part: Mapping[str, Any]) -> Mapping[str, Any]:
    options = part.get("options")
    return options if isinstance(options, Mapping) else {}


def _label(part: Mapping[str, Any]) -> str:
    package = part.get("package")
    return Part(name=str(part.get("name")), package=package if isinstance(package, str) else None).label


@dataclass(frozen=True)
class Layers:
    """What was laid over the defaults.

    Attributes:
        file: a config file's tree, or that of a run another begins from.
        origin: where that file's own values came from, as it says.
        flags, assignments: as `config.resolve` takes them.
    """

    file: Mapping[str, Any]
    origin: Mapping[str, str] | None
    flags: Mapping[str, Any]
    assignments: Sequence[str]

    def origins(self, config: Mapping[str, Any]) -> dict[str, str]:
        """Dotted name to layer, for every value of the resolved config that is not the default of its place."""
        preset = flat(parts_of(config.get("preset")))
        file, own = flat(self.file), self.origin or {}
        given = {f"{above}.{key}" for above, keys in assignments_of(self.assignments).items() for key in keys}
        flags = {MANY_OF.get(name.removeprefix("no_"), name) for name in self.flags}
        found = {}
        for name, value in flat(config).items():
            if name in given:
                found[name] = "-o"
            elif name in flags:
                found[name] = "flag"
            elif name in file and file[name] == value and (not own or name in own):
                found[name] = own.get(name, "file")
            elif name in preset and preset[name] == value:
                found[name] = f"{_PRESET}{config['preset']}"
        return found


def asked(saved: Mapping[str, Any]) -> dict[str, Any]:
    """A saved config without what only defaults and presets filled in, so that another preset may be laid under it."""
    origin = {name for name, layer in (saved.get("origin") or {}).items() if not layer.startswith(_PRESET)}
    kept: dict[str, Any] = {"origin": {name: saved["origin"][name] for name in origin}}
    for name, value in saved.items():
        if name == "origin":
            continue
        if name in MANY:
            if any(dotted == name or dotted.startswith(f"{MANY[name]}.") for dotted in origin):
                kept[name] = value
        elif isinstance(value, Mapping):
            part = isinstance(value.get("name"), str)
            options = value.get("options") or {} if part else value
            chosen = {key: chosen_value for key, chosen_value in options.items() if f"{name}.{key}" in origin}
            if part and (name in origin or chosen or name == "source"):
                kept[name] = {"name": value["name"], "package": value.get("package"), "options": chosen}
            elif chosen:
                kept[name] = chosen
        elif name in origin:
            kept[name] = value
    return kept


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted names whose values two whole configs do not share, with both values (None: not there)."""
    old, new = flat(before), flat(after)
    names = [*old, *(name for name in new if name not in old)]
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def changed_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a saved config has that a file, flags or -o brought: dotted names to values."""
    values, origin = flat(config), config.get("origin") or {}
    return {name: values[name] for name, layer in origin.items() if name in values and not layer.startswith(_PRESET)}
