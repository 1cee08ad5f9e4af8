"""Whether a package goes with this diffmidi: what it requires, and which version of a contract its parts keep."""

from __future__ import annotations

from collections.abc import Sequence

from diffmidi_core import __version__
from diffmidi_core.installing import pip_install
from diffmidi_core.kinds import Kind
from diffmidi_core.wording import cut, printable

UPGRADE = "pip install --upgrade diffmidi"


def unmet(requires: Sequence[str]) -> str:
    """Why a package that requires this of diffmidi cannot be used; "" where it can."""
    if not requires:
        return ""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion, Version

    for text in requires:
        told = cut(printable(text), 80)
        try:
            required = Requirement(text)
        except InvalidRequirement:
            return f"what it requires of diffmidi cannot be read ({told!r})"
        if required.marker is not None and not required.marker.evaluate({"extra": ""}):
            continue
        if required.specifier.contains(__version__, prereleases=True):
            continue
        newer = False
        for each in required.specifier:
            try:
                newer |= each.operator in (">", ">=", "~=", "==") and Version(each.version) > Version(__version__)
            except InvalidVersion:  # "==99.*"
                continue
        remedy = f": {UPGRADE}" if newer else ", which is another one"
        return f"it requires diffmidi{required.specifier}, and diffmidi {__version__} is installed{remedy}"
    return ""


def misfit(contract: int | None, kind: Kind, package: str) -> str:
    """Why a part that keeps this version of its kind's contract cannot be used; "" where it can. None: the newest."""
    if contract is None or kind.oldest <= contract <= kind.version:
        return ""
    known = f"{kind.version}" if kind.oldest == kind.version else f"{kind.oldest} to {kind.version}"
    upgrade = UPGRADE if contract > kind.version else pip_install(package).replace("install", "install --upgrade", 1)
    what = f"it keeps version {contract} of the contract of a {kind.name}"
    return f"{what}, and diffmidi {__version__} knows {known}{f': {upgrade}' * bool(upgrade)}"
