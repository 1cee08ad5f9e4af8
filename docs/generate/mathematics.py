"""Formulas between dollar signs, as MathML: browsers draw it by themselves, with no script and no fonts to fetch."""

from __future__ import annotations

import re

from latex2mathml.converter import convert

FENCED = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
DISPLAYED = re.compile(r"^\$\$\n(.+?)\n\$\$$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\$(\S(?:[^$\n]*\S)?)\$")


def with_mathematics(page: str) -> str:
    """The page with every $...$ and every block of $$ outside of code as MathML."""
    if "$" not in page:
        return page
    pieces = FENCED.split(page)
    return "".join(piece if FENCED.fullmatch(piece) else _written(piece) for piece in pieces)


def _written(text: str) -> str:
    displayed = DISPLAYED.sub(lambda found: f'<div class="formula">{convert(found[1], display="block")}</div>', text)
    return INLINE.sub(lambda found: convert(found[1]), displayed)
