"""Section: what a listener adds to report.html. Light, so that listeners may import it at the top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | int | float | None

_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"<svg": "image/svg+xml"}
_XML = b"<?xml"


@dataclass(frozen=True)
class Table:
    """Rows under headings. Numbers stand at the right, with three digits; None is a dash.

    Raises ValueError where a row has not one cell for each heading.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.headings) for row in self.rows):
            raise ValueError(f"each row has {len(self.headings)} cells, one for each heading")


@dataclass(frozen=True)
class Picture:
    """A picture inside the report: the bytes of a PNG, JPEG or SVG file, and what it shows, for who cannot see it.

    An SVG cannot run scripts there, nor fetch anything. Raises ValueError for other bytes, or without `alt`.
    """

    data: bytes
    alt: str
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise ValueError("a picture needs alt: what it shows, in tokens")
        _ = self.mime

    @property
    def mime(self) -> str:
        """Its media type."""
        begin = self.data.lstrip()[:1000]
        if begin.startswith(_XML) and b"<svg" in begin:
            return "image/svg+xml"
        for magic, mime in _KINDS.items():
            if begin.startswith(magic):
                return mime
        raise ValueError("a picture is the bytes of a PNG, JPEG or SVG file")


Content = str | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it.

    Args:
        title: the heading.
        content: in order. A str is a paragraph, escaped; a `markupsafe.Markup` is HTML and put in as it is, so that it
            has to escape what it quotes (a jinja2 template with autoescape does); Table and Picture are drawn. The
            report opens offline and runs nothing but its player: pictures and sound in it are `data:` URLs, and scripts
            are dead.

    Raises ValueError for an empty title, TypeError for content of another type.
    """

    title: str
    content: Sequence[Content]

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise ValueError("a section needs a title")
        if isinstance(self.content, str) or not all(isinstance(each, str | Table | Picture) for each in self.content):
            raise TypeError("a section's content is a list of str, Markup, Table and Picture")
