"""The distributions under examples/, as pip would install them."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diffmidi_core.registry import forget_installed

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def install_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[str]]]:
    """Puts an example's package on the path, and its entry points beside it; returns what is to be on sys.path."""

    def install(name: str) -> list[str]:
        project = tomllib.loads((EXAMPLES / name / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        named = f"Name: {project['name']}\nVersion: {project['version']}\n"
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\n{named}")
        groups = project["entry-points"].items()
        lines = (f"[{group}]\n" + "\n".join(f"{part} = {to}" for part, to in each.items()) for group, each in groups)
        (info / "entry_points.txt").write_text("\n\n".join(lines) + "\n")
        paths = [str(tmp_path), str(EXAMPLES / name / "src")]
        for path in paths:
            monkeypatch.syspath_prepend(path)
        forget_installed()
        return paths

    before = set(sys.modules)
    yield install
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if name.startswith(("diffmidi_uniform_noise", "diffmidi_voice_leading")):
            del sys.modules[name]
    forget_installed()
