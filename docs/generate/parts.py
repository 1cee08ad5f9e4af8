"""Pages of parts: what each kind promises and is checked for, what is built in, and the settings of a run's stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
MANY = ("metric", "renderer", "hook", "control")
"""Kinds of which a run takes several, so that an option is set by the part's name too."""


def contract_pages() -> Iterator[tuple[str, str]]:
    """A page a kind: its page in diffmidi.api, contract and helpers, and the checks that a part of it must pass."""
    for kind in KINDS.values():
        if kind.contract or kind.folder:
            yield f"reference/parts/{kind.name}.md", _contract(kind)


def _contract(kind: Kind) -> str:
    checks = [(each.__name__, (each.__doc__ or "").strip().splitlines()[0]) for each in checks_for(kind.name)]
    rows = "\n".join(f"| `{name}` | {cell(told)} |" for name, told in checks)
    return "\n\n".join(
        (
            f"# {kind.name.capitalize()}",
            f"Entry points: `{kind.group}`. Built in: [what there is](../built-in/{kind.name}.md)."
            if not kind.folder
            else f"Entry points: `{kind.group}`.",
            f"::: diffmidi.api.{kind.name}",
            f"## The checks\n\n`diffmidi plugins check PACKAGE` runs these on every {kind.name} of a package.\n\n"
            f"| check | what it promises |\n| --- | --- |\n{rows}",
        )
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


def settings_page() -> str:
    """Every option of the stages of a run, section by section."""
    told = [
        "# Settings of a run",
        "Every one is set by `-o section.key=value`, in a `config.json` that `--config` names, or by a flag of its own. "
        "`diffmidi run --explain` prints them all, and where each value comes from. Options of parts are on the pages of "
        "[what is built in](built-in/tokenizer.md).",
    ]
    for name, model in SECTIONS.items():
        told.append(f"## {name}\n\n{(model.__doc__ or '').strip().splitlines()[0]}\n\n{_settings(name, model)}")
    return "\n\n".join(told)


def _settings(section: str, model: type[BaseModel]) -> str:
    extras = {name: field.json_schema_extra for name, field in model.model_fields.items()}
    flags = {name: str(extra["flag"]) for name, extra in extras.items() if isinstance(extra, dict) and "flag" in extra}
    rows = [(*row[:4], f"{row[4]} (`{flags[row[0]]}`)" if row[0] in flags else row[4]) for row in fields_of(model)]
    return _table(f"{section}.", rows)


def _table(prefix: str, rows: Sequence[Sequence[str]]) -> str:
    lines = [
        f"| `{prefix}{name}` | {cell(kind)} | {cell(default)} | {cell(bounds)} | {cell(told)} |"
        for name, kind, default, bounds, told in rows
    ]
    return "\n".join(("| option | type | default | bounds | meaning |", "| --- | --- | --- | --- | --- |", *lines))
