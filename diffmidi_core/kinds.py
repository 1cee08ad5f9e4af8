"""The kinds of choice: what each is called, where its entry points are, and what they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diffmidi_core.declaration import (
    ControlDeclaration,
    Declaration,
    Described,
    MetricDeclaration,
    Preset,
    ProcessDeclaration,
    SamplerDeclaration,
    SourceDeclaration,
)


@dataclass(frozen=True)
class Kind:
    """One kind of choice.

    Attributes:
        name: as it is called on the command line.
        group: its entry points.
        contract: what its classes are subclasses of; "" for presets and models, which have no class.
        declaration: what its entry points name.
        folder: of models, whose entry points name a package: the folder in it that is all there is to read. Nothing of
            the package is imported.
        version: of its contract: one more whenever a class that kept it would not do so any more.
        oldest: version that is still taken.
        provisional: whether the contract may change in any minor version (`diffmidi.api` says what is promised).
    """

    name: str
    group: str
    contract: str
    declaration: type[Described] = Declaration
    folder: str = ""
    version: int = 1
    oldest: int = 1
    provisional: bool = False


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("tokenizer", "diffmidi.tokenizers", "diffmidi_core.contracts.tokenizer:Tokenizer"),
        Kind("backbone", "diffmidi.backbones", "diffmidi_core.contracts.backbone:Backbone"),
        Kind("schedule", "diffmidi.schedules", "diffmidi_core.contracts.schedule:NoiseSchedule"),
        Kind(
            "process",
            "diffmidi.processes",
            "diffmidi_core.contracts.process:Process",
            ProcessDeclaration,
            provisional=True,
        ),
        Kind(
            "sampler",
            "diffmidi.samplers",
            "diffmidi_core.contracts.sampler:Sampler",
            SamplerDeclaration,
            provisional=True,
        ),
        Kind(
            "control",
            "diffmidi.controls",
            "diffmidi_core.contracts.control:Control",
            ControlDeclaration,
            provisional=True,
        ),
        Kind("metric", "diffmidi.metrics", "diffmidi_core.contracts.metric:Metric", MetricDeclaration),
        Kind("source", "diffmidi.sources", "diffmidi_core.contracts.source:Source", SourceDeclaration),
        Kind("renderer", "diffmidi.renderers", "diffmidi_core.contracts.renderer:Renderer"),
        Kind("hook", "diffmidi.hooks", "builtins:object"),
        Kind("preset", "diffmidi.presets", "", Preset),
        Kind("model", "diffmidi.models", "", Described, folder="model", provisional=True),
    )
}


def declares(found: object, kind: str) -> bool:
    """Whether it is a declaration of this kind, and not of one that has more to declare, such as a sampler's."""
    wanted = KINDS[kind].declaration
    others = {each.declaration for each in KINDS.values()} - {*wanted.__mro__}
    return isinstance(found, wanted) and not isinstance(found, tuple(others))
