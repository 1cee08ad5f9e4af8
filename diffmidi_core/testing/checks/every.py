"""What everything promises that an entry point names."""

from __future__ import annotations

import functools

from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect
from diffmidi_core.testing.surroundings import in_new_process

HEAVY = ("torch", "transformers", "numpy", "symusic", "matplotlib")
"""What a declaration may not import: `diffmidi --help` and a mistyped option must answer at once."""
LONGEST_SUMMARY = 120


def check_declaration_is_light(component: Component) -> None:
    """Importing the declaration brings in nothing heavy."""
    module = component.offer.target.partition(":")[0]
    heavy = _heavy_with(module)
    expect(not heavy, f"importing {module} imports {', '.join(heavy)}: keep that to the implementation's module")


@functools.cache
def _heavy_with(module: str) -> list[str]:
    code = "import importlib, json, sys; importlib.import_module(sys.argv[1]); print(json.dumps(list(sys.modules)))"
    imported = in_new_process(code, module)
    return [name for name in HEAVY if name in imported]


def check_summary_is_one_line(component: Component) -> None:
    """There is a summary, and it fits a listing."""
    summary = component.offer.described().summary
    expect(summary.strip() and len(summary.splitlines()) == 1, f"the summary is one line of text, not {summary!r}")
    expect(len(summary) <= LONGEST_SUMMARY, f"the summary has {len(summary)} characters: {LONGEST_SUMMARY} at most")
