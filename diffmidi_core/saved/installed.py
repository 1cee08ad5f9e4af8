"""Installed models: what packages offer under `diffmidi.models`, found and told without importing anything of them.

An entry point names a package; its folder `model/` is one that `diffmidi export` wrote. Light: no torch is needed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.packages import license_of
from diffmidi_core.registry import Offer, find, offers
from diffmidi_core.saved.manifest import AGAIN, CONFIG, Manifest, read_model
from diffmidi_core.wording import printable

_NAME = re.compile(r"([\w.-]+:)?[\w-][\w.-]*", re.ASCII)


@dataclass(frozen=True)
class InstalledModel:
    """A model that some installed package offers.

    Attributes:
        name: what it is called by: its name alone where no other package has it.
        package, version: who offers it.
        summary: one line, its package's own.
        license: of the package; "" where it names none.
        size: bytes of all its files.
        problem: why it cannot be opened, in a sentence; None where every file is as it was written, and all parts that
            it needs are installed.
    """

    name: str
    package: str
    version: str
    summary: str
    license: str
    size: int
    problem: str | None


def installed_models() -> list[InstalledModel]:
    """Every installed model; nothing is imported, and no weight is read but for its checksum."""
    found = offers("model")
    named = Counter(offer.name for offer in found)
    return [_told(offer, offer.name if named[offer.name] == 1 else offer.spelling) for offer in found]


def model_at(where: str | Path) -> Path:
    """The folder that a user means: one that is there, else that of an installed model of this name.

    What cannot be the name of a model is a folder, whether it is there or not. Raises UsageError where a name is no
    installed model's, BrokenPluginError where its package lacks the folder.
    """
    folder = Path(where).expanduser()
    # A file is no model either, and whoever opens it says so.
    if folder.exists() or not is_name(where):
        return folder
    try:
        offer = find("model", str(where))
    except UsageError as error:
        raise UsageError(
            f"there is no folder {printable(where)}, and {error} A run, or a folder that was exported, is named by its "
            "path."
        ) from None
    return offer.folder()


def is_name(where: str | Path) -> bool:
    """Whether it can be the name of an installed model: NAME or PACKAGE:NAME, and no path."""
    return _NAME.fullmatch(str(where)) is not None


def is_installed(where: Path) -> bool:
    """Whether it names an installed model, there being no folder of that name."""
    known = {name for offer in offers("model") for name in (offer.name, offer.spelling)}
    return not where.exists() and str(where) in known


def _told(offer: Offer, name: str) -> InstalledModel:
    folder, problem = None, None
    try:
        folder = offer.folder()
        read_model(folder)
        Manifest.read(folder / CONFIG, AGAIN).verify(folder, (), AGAIN)
    except DiffmidiError as error:
        problem = str(error)
    return InstalledModel(
        name=name,
        package=offer.package,
        version=offer.version,
        summary=offer.described().summary,
        license=license_of(offer.package),
        size=size_of(folder) if folder else 0,
        problem=problem,
    )


def size_of(folder: Path) -> int:
    """Bytes of all files in or below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
