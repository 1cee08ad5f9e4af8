"""Little distributions that are really installed: a folder on sys.path with a module and its dist-info."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diffmidi_core.registry import forget_installed

GOOD = """
from diffmidi_core.api import Declaration, Field, Options

class Power(Options):
    power: float = Field(2.0, gt=0, le=8, description="how steep")
    shape: str = Field("up", description="which way")

declared = Declaration(summary="falls as a power", implementation="{module}_parts:Part", options=Power)
"""

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """`install("acme-midi", {"diffmidi.schedules": {"power": "acme:declared"}}, acme="source text")`."""
    made = 0
    written: set[str] = set()

    def install(package: str, groups: dict[str, dict[str, str]], *, version: str = "1.0", **modules: str) -> Path:
        nonlocal made
        made += 1
        site = tmp_path / f"site{made}"
        info = site / f"{package.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        sections = (
            f"[{group}]\n" + "\n".join(f"{name} = {target}" for name, target in entries.items())
            for group, entries in groups.items()
        )
        (info / "entry_points.txt").write_text("\n\n".join(sections) + "\n")
        for name, source in modules.items():
            (site / f"{name}.py").write_text(source)
            sys.modules.pop(name, None)
            written.add(name)
        monkeypatch.syspath_prepend(str(site))
        forget_installed()
        return site

    yield install
    monkeypatch.undo()
    for name in written:
        sys.modules.pop(name, None)
    forget_installed()


@pytest.fixture
def good() -> Callable[[str], str]:
    """The text of a declaration module whose implementation is in `{module}_parts`."""
    return lambda module: GOOD.format(module=module)
