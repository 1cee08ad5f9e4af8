"""What hatchling asks for a release: the README as PyPI shows it, without links that lead nowhere there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

REPOSITORY = "https://github.com/diffmidi/diffmidi"
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")


def absolute(text: str, version: str) -> str:
    """Markdown whose links into the repository are links to GitHub, at the tag of a version."""

    def link(found: re.Match[str]) -> str:
        image, words, path = found.groups()
        return f"{image}[{words}]({REPOSITORY}/{'raw' if image else 'blob'}/v{version}/{path})"

    return _LINK.sub(link, text)


class Readme(MetadataHookInterface):
    """Sets `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """The text of README.md with links that lead somewhere."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, metadata["version"])}
