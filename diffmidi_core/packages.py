"""Installed packages, without importing anything of them: where they are, and what their metadata say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from email.message import Message
from importlib.metadata import Distribution, PackageNotFoundError, metadata
from pathlib import Path
from typing import cast


def origin_of(distribution: Distribution | None) -> tuple[str, str]:
    """Name and version of a package; its metadata are parsed anew whenever they are asked for."""
    said = Message() if distribution is None else cast(Message, distribution.metadata)
    # A half-removed package has entry points but no name or version any more.
    return str(said.get("Name", "unknown")), str(said.get("Version", "(no version)"))


def summary_of(package: str) -> str:
    """The one line that a package says of itself; "" where it says none."""
    return _said(package, "Summary")


def version_of(package: str) -> str:
    """The version of a package that is installed; "" where there is none."""
    return _said(package, "Version")


def license_of(package: str) -> str:
    """The licence of a package, as its metadata have it; "" where they have none."""
    return _said(package, "License-Expression") or _said(package, "License")


def _said(package: str, field: str) -> str:
    with suppress(PackageNotFoundError):
        return " ".join(str(cast(Message, metadata(package)).get(field, "")).split())
    return ""


def exists(module: str) -> bool:
    """Whether the import system finds it. Unlike importlib.util.find_spec this imports no package above it."""
    return _places(module) is not None


def folder_of(package: str) -> Path | None:
    """The folder that a package lies in; None where there is none, or where it lies in no folder (in a zip file)."""
    return next((place for place in map(Path, _places(package) or ()) if place.is_dir()), None)


def _places(module: str) -> Sequence[str] | None:
    """The folders of a package, none of a plain module; None where there is no such module."""
    path: Sequence[str] | None = None
    name = ""
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        try:
            specs = (finder.find_spec(name, path) for finder in sys.meta_path)
            spec = next((spec for spec in specs if spec is not None), None)
        except Exception:
            spec = None
        if spec is None:
            return None
        path = [*(spec.submodule_search_locations or ())]
    return path
