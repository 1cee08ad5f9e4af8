"""What a package that adds parts to diffmidi declares. Light: it imports no torch, numpy or symusic.

A part is two modules and a line. The declaration says what the part is called for and what can be set:

    from diffmidi.api import Declaration, Field, Options

    class SlopeOptions(Options):
        power: float = Field(2.0, gt=0, le=8, description="how steep the fall is")

    slope = Declaration(summary="signal falls as a power", implementation="acme_midi.slope:Slope", options=SlopeOptions)

The class keeps the contract of its kind, in a module that is imported only when the part is built; and an entry point
gives the part its name (`slope = "acme_midi.declarations:slope"` under `diffmidi.schedules` in pyproject.toml).

| kind | entry points | contract, helpers, an example | declared by |
|---|---|---|---|
| tokenizer | diffmidi.tokenizers | diffmidi.api.tokenizer | TokenizerDeclaration, or Declaration |
| backbone | diffmidi.backbones | diffmidi.api.backbone | BackboneDeclaration, or Declaration |
| schedule | diffmidi.schedules | diffmidi.api.schedule | Declaration |
| process | diffmidi.processes | diffmidi.api.process | ProcessDeclaration |
| sampler | diffmidi.samplers | diffmidi.api.sampler | SamplerDeclaration |
| control | diffmidi.controls | diffmidi.api.control | ControlDeclaration |
| metric | diffmidi.metrics | diffmidi.api.metric | MetricDeclaration |
| source | diffmidi.sources | diffmidi.api.source | SourceDeclaration |
| renderer | diffmidi.renderers | diffmidi.api.renderer | Declaration |
| hook (a listener) | diffmidi.hooks | diffmidi.api.hook | Declaration |
| preset | diffmidi.presets | none: a preset is its declaration | Preset |
| model | diffmidi.models | diffmidi.api.model | nothing: it is the folder `model/` of a package |

Errors that a part raises are sentences for the user: DiffmidiError; UsageError for a wrong request; RefusedError for
one piece of music that is left out while the others go on. `diffmidi plugins check NAME-OF-YOUR-DISTRIBUTION` runs
the checks of the conformance kit, whose names each kind's module lists.
"""

from pydantic import Field

from diffmidi_core.declaration import (
    BackboneDeclaration,
    ControlDeclaration,
    Declaration,
    MetricDeclaration,
    Options,
    Preset,
    ProcessDeclaration,
    SamplerDeclaration,
    SourceDeclaration,
    TokenizerDeclaration,
    UserPath,
)
from diffmidi_core.errors import DiffmidiError, RefusedError, UsageError
from diffmidi_core.hookspecs import hookimpl

__all__ = [
    "BackboneDeclaration",
    "ControlDeclaration",
    "Declaration",
    "DiffmidiError",
    "Field",
    "MetricDeclaration",
    "Options",
    "Preset",
    "ProcessDeclaration",
    "RefusedError",
    "SamplerDeclaration",
    "SourceDeclaration",
    "TokenizerDeclaration",
    "UsageError",
    "UserPath",
    "hookimpl",
]
