"""What to type to install a package, where somebody else's file names it: nothing but a name and a version."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.ASCII | re.IGNORECASE)
"""The names of packages (PEP 508)."""
_VERSION = re.compile(r"[A-Z0-9][A-Z0-9.!+_-]*", re.ASCII | re.IGNORECASE)
"""More than the versions of PEP 440, and nothing that a shell or pip reads as anything else."""


def pip_install(package: str | None, version: str | None = None) -> str:
    """ "pip install acme-midi==1.2"; without a version that is none, and "" where the name is none.

    What is to be typed into a shell must not hold what somebody else would have typed there.
    """
    if package is None or not _NAME.fullmatch(package):
        return ""
    pinned = f"=={version}" if version is not None and _VERSION.fullmatch(version) else ""
    return f"pip install {package}{pinned}"
