"""What a package that adds parts to diffmidi declares. Light: it imports no torch, numpy or symusic.

A part is two modules and a line. The declaration says what the part is called for and what can be set:

    from diffmidi.api import Declaration, Field, Options

    class SlopeOptions(Options):
        power: float = Field(2.0, gt=0, le=8, description="how steep the fall is")

    slope = Declaration(summary="signal falls as a power", implementation="acme_midi.slope:Slope", options=SlopeOptions)

The class keeps the contract of its kind, in a module that is imported only when the part is built; and an entry point
gives the part its name (`slope = "acme_midi.declarations:slope"` under `diffmidi.schedules` in pyproject.toml).

| kind | entry points | contract, helpers, an example | declared by | version of the contract |
|---|---|---|---|---|
| tokenizer | diffmidi.tokenizers | diffmidi.api.tokenizer | TokenizerDeclaration, or Declaration | 1 |
| backbone | diffmidi.backbones | diffmidi.api.backbone | BackboneDeclaration, or Declaration | 1 |
| schedule | diffmidi.schedules | diffmidi.api.schedule | Declaration | 1 |
| process | diffmidi.processes | diffmidi.api.process | ProcessDeclaration | 1, provisional |
| sampler | diffmidi.samplers | diffmidi.api.sampler | SamplerDeclaration | 1, provisional |
| control | diffmidi.controls | diffmidi.api.control | ControlDeclaration | 1, provisional |
| metric | diffmidi.metrics | diffmidi.api.metric | MetricDeclaration | 1 |
| source | diffmidi.sources | diffmidi.api.source | SourceDeclaration | 1 |
| renderer | diffmidi.renderers | diffmidi.api.renderer | Declaration | 1 |
| hook (a listener) | diffmidi.hooks | diffmidi.api.hook | Declaration | 1 |
| preset | diffmidi.presets | none: a preset is its declaration | Preset | 1 |
| model | diffmidi.models | diffmidi.api.model | nothing: it is the folder `model/` of a package | 1, provisional |

Errors that a part raises are sentences for the user: DiffmidiError; UsageError for a wrong request; RefusedError for
one piece of music that is left out while the others go on. `diffmidi plugins check NAME-OF-YOUR-DISTRIBUTION` runs
the checks of the conformance kit, whose names each kind's module lists.

What is promised:

- Stable is what this module and those of the kinds name in `__all__`, the groups of entry points, the arguments of
  declarations, and of each contract its methods, shapes and units. A version of diffmidi that differs in its last
  number alone changes none of it; one that differs before that may add to it.
- Provisional is the same of the kinds that the table calls so, whatever of tokenizers is about plans of bars and
  parted notes, and what the conformance kit checks, which grows. It may change with the second number of the version,
  and CHANGELOG.md says what to do.
- All of `diffmidi_core` and of the packages of built-in parts is internal, and no promise is made of it.
- What is to go is deprecated first: it works for two more versions (of the second number) at least, says by a
  DeprecationWarning what to use in its place and when it goes, and CHANGELOG.md says so under "Deprecated".
- A contract has a version of its own, which rises when a class that kept it does so no more.
  `Declaration(contract=1)` says which one a part was written to; without it, it is taken for the newest. Older ones
  are taken as long as they can be adapted. A part of a version that is newer than ours, or older than we take, is
  refused in a sentence, and so is a package whose metadata require another diffmidi (`diffmidi>=1.2`): say both, and
  the user is told which to upgrade.

Nobody is disturbed by a package that they do not use: a declaration is imported to be listed or chosen, what it
prints goes to standard error, and what is wrong with it or with its metadata is told by `diffmidi plugins`. With
DIFFMIDI_PLUGINS in the environment only the packages that it names are looked at, with commas; "none": no other than
ours.

A part can be tried without a package: `--schedule my_file.py:Slope` takes a class of a file, and a program or
notebook that has imported my_module says "my_module:Slope". The class says what its options are by an annotation
(`options: SlopeOptions`), and may be given itself there: `diffmidi.run("songs", schedule=Slope)`. A process or a
sampler, which says more of itself, is named by its declaration:
`my_file.py:declared`. A run that was made so opens again where the file is named, as in `diffmidi --import my_file.py
sample RUN`: opening a run never runs a file by itself.
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
