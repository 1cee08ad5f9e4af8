"""What everything promises whose entry point names a declaration: all but models, of which nothing is imported."""

from __future__ import annotations

import functools

from diffmidi_core.own import IMPORTED
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect
from diffmidi_core.testing.surroundings import in_new_process

HEAVY = ("torch", "transformers", "numpy", "symusic", "matplotlib")
"""What a declaration may not import: `diffmidi --help` and a mistyped option must answer at once."""


def check_declaration_is_light(component: Component) -> None:
    """Importing the declaration brings in nothing heavy."""
    if component.offer.version == IMPORTED:
        return  # a user's own class is its own declaration, and no list imports it
    module = component.offer.target.partition(":")[0]
    heavy = _heavy_with(module)
    expect(not heavy, f"importing {module} imports {', '.join(heavy)}: keep that to the implementation's module")


@functools.cache
def _heavy_with(module: str) -> list[str]:
    code = "import importlib, json, sys; importlib.import_module(sys.argv[1]); print(json.dumps(list(sys.modules)))"
    imported = in_new_process(code, module)
    return [name for name in HEAVY if name in imported]
