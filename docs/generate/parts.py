"""Pages of parts: what each kind promises and is checked for, what is built in, and the settings of a run's stages."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from diffmidi_core import sections
from diffmidi_core.cli.described import fields_of, options_of
from diffmidi_core.declaration import Declaration, MetricDeclaration, ProcessDeclaration, SamplerDeclaration
from diffmidi_core.kinds import KINDS, Kind
from diffmidi_core.numbers import better_text
from diffmidi_core.registry import Offer, offers
from diffmidi_core.testing import checks_for
from docs.generate.commands import cell

SECTIONS: dict[str, type[BaseModel]] = {
    "prepare": sections.PrepareConfig,
    "augment": sections.AugmentConfig,
    "condition": sections.ConditionConfig,
    "train": sections.TrainConfig,
    "sample": sections.SampleConfig,
    "evaluate": sections.EvaluateConfig,
}
DECLARED_BY = {"tokenizer": "TokenizerDeclaration", "backbone": "BackboneDeclaration"}
"""Kinds that a declaration of their own says more of, though a plain one will do."""
MANY = ("metric", "renderer", "hook", "control")
"""Kinds of which a run takes several, so that an option is set by the part's name too."""


def api() -> str:
    """What `diffmidi.api` says of itself: kinds, errors, and what is promised."""
    return _prose(importlib.import_module("diffmidi.api").__doc__ or "")


def contract_pages() -> Iterator[tuple[str, str]]:
    """A page a kind: its page in diffmidi.api, contract and helpers, and the checks that a part of it must pass."""
    homes = _homes()
    for kind in KINDS.values():
        if kind.contract or kind.folder:
            yield f"reference/parts/{kind.name}.md", "\n\n".join(_contract(kind, homes))


def _homes() -> dict[tuple[str, str], str]:
    """What modules of diffmidi.api export, to the page where it is explained: a contract on its own, else the first."""
    homes: dict[tuple[str, str], str] = {}
    written = [kind for kind in KINDS.values() if kind.contract or kind.folder]
    for kind in written:
        module, _, name = kind.contract.partition(":")
        homes[module, name] = kind.name
    for kind in written:
        for each in _exported(kind):
            homes.setdefault(each[1], kind.name)
    return homes


def _exported(kind: Kind) -> list[tuple[str, tuple[str, str]]]:
    """The names that a kind's module exports, each with where it comes from (constants: that module)."""
    module = importlib.import_module(f"diffmidi.api.{kind.name}")
    found = ((name, getattr(module, name)) for name in getattr(module, "__all__", ()))
    return [
        (name, (getattr(each, "__module__", "") or "", getattr(each, "__qualname__", name))) for name, each in found
    ]


def _contract(kind: Kind, homes: Mapping[tuple[str, str], str]) -> Iterator[str]:
    yield f"# {kind.name.capitalize()}"
    there = "" if kind.folder else f" [What is built in](../built-in/{kind.name}.md)."
    yield f"Entry points: `{kind.group}`. Imported from `diffmidi.api.{kind.name}`.{there}"
    yield _prose(importlib.import_module(f"diffmidi.api.{kind.name}").__doc__ or "")
    if not kind.folder:
        declared = DECLARED_BY.get(kind.name, kind.declaration.__name__)
        yield f"## Declared by\n\n::: diffmidi.api.{declared}\n    options:\n      {_HEADED}"
    exported = _exported(kind)
    module, _, contract = kind.contract.partition(":")
    ours = [(name, origin) for name, origin in exported if origin[0].startswith("diffmidi")]
    own = [name for name, origin in ours if homes[origin] == kind.name and origin != (module, contract)]
    if module.startswith("diffmidi"):
        yield f"## The contract\n\n{_shown(kind, contract)}"
    if own:
        yield "\n\n".join(("## What goes with it", *(_shown(kind, name) for name in own)))
    if others := [(name, homes[origin]) for name, origin in ours if homes[origin] != kind.name]:
        links = ", ".join(f"[`{name}`]({home}.md)" for name, home in others)
        yield f"Exported here too, and explained elsewhere: {links}."
    if besides := [name for name, origin in exported if not origin[0].startswith("diffmidi")]:
        yield f"And types and constants: {', '.join(f'`{name}`' for name in besides)}."
    checks = [(each.__name__, (each.__doc__ or "").strip().splitlines()[0]) for each in checks_for(kind.name)]
    rows = "\n".join(f"| `{name}` | {cell(told)} |" for name, told in checks)
    yield f"## The checks\n\n`diffmidi plugins check PACKAGE` runs these on every {kind.name} that a package offers."
    yield f"| check | what it promises |\n| --- | --- |\n{rows}"


_HEADED = "show_root_heading: true\n      show_root_toc_entry: true\n      heading_level: 3"


def _shown(kind: Kind, name: str) -> str:
    return f"::: diffmidi.api.{kind.name}.{name}\n    options:\n      {_HEADED}"


def _prose(docstring: str) -> str:
    """A module's docstring as Markdown: its examples are fenced, and its list of checks is left to the table."""
    kept = inspect.cleandoc(docstring).split("\n\nChecks of the conformance kit")[0]
    fence = "```python" if "    class " in docstring else "```text"
    return re.sub(
        r"(?m)(?:^ {4}.*\n(?:\s*\n(?= {4}))?)+",
        lambda found: f"{fence}\n{textwrap.dedent(found[0]).rstrip()}\n```\n",
        kept + "\n",
    )


def installed_pages() -> Iterator[tuple[str, str]]:
    """A page a kind: the parts that come with diffmidi, and what can be set of each."""
    for kind in KINDS.values():
        if not kind.folder:
            own = [offer for offer in offers(kind.name) if offer.package == sections.BUILTIN_PACKAGE]
            yield f"reference/built-in/{kind.name}.md", _installed(kind, own)


def _installed(kind: Kind, found: Sequence[Offer]) -> str:
    heading = f"# {kind.name.capitalize()}s\n" if kind.name != "process" else "# Processes\n"
    told = f"What `diffmidi plugins show {kind.name} NAME` says of those that come with diffmidi."
    return "\n\n".join((heading, told, *map(_part, found)))


def _part(offer: Offer) -> str:
    described = offer.described()
    lines = [f"## {offer.name}", f"{cell(described.summary)[:1].upper()}{cell(described.summary)[1:]}."]
    lines += [f"{name}: {value}." for name, value in _facts(described)]
    if isinstance(described, Declaration) and (rows := options_of(offer)):
        prefix = f"{offer.kind}.{offer.name}" if offer.kind in MANY else offer.kind
        lines.append(_table(f"{prefix}.", rows))
    return "\n\n".join(lines)


def _facts(described: object) -> Iterator[tuple[str, str]]:
    if isinstance(described, MetricDeclaration) and described.title:
        yield "Shown as", f"{cell(described.title)}{better_text(described.better)}"
    if isinstance(described, ProcessDeclaration | SamplerDeclaration) and described.family:
        yield "Family", f"`{described.family}`"
    if isinstance(described, ProcessDeclaration) and described.goes_with:
        yield "Goes with", ", ".join(f"{kind} `{name}`" for kind, name in described.goes_with.items())
    if isinstance(described, SamplerDeclaration) and described.steps:
        yield "Steps", f"{described.steps}, unless `--steps` says otherwise"


def settings() -> str:
    """Every option of the stages of a run, section by section."""
    told = (f"## {name}\n\n{_first(model)}\n\n{_settings(name, model)}" for name, model in SECTIONS.items())
    return "\n\n".join(told)


def _first(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _settings(section: str, model: type[BaseModel]) -> str:
    extras = {name: field.json_schema_extra for name, field in model.model_fields.items()}
    flags = {name: str(extra["flag"]) for name, extra in extras.items() if isinstance(extra, dict) and "flag" in extra}
    rows = [(*row[:4], f"{row[4]} (`{flags[row[0]]}`)" if row[0] in flags else row[4]) for row in fields_of(model)]
    return _table(f"{section}.", rows)


def _table(prefix: str, rows: Sequence[Sequence[str]]) -> str:
    lines = []
    for name, kind, default, bounds, told in rows:
        values = "; ".join(part for part in (kind, bounds, f"default {default}" if default else "") if part)
        lines.append(f"| `{prefix}{name}` | {cell(values)} | {cell(told)} |")
    return "\n".join(("| option | values | meaning |", "| --- | --- | --- |", *lines))
