"""What installed packages offer to diffmidi, from their metadata alone, whatever is wrong with those of any package.

Only files that speak of diffmidi are looked into, a package at a time. `importlib.metadata.entry_points` reads all of
all packages, and one malformed file ends it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

from diffmidi_core.packages import origin_of
from diffmidi_core.sections import BUILTIN_PACKAGE
from diffmidi_core.wording import cut, did_you_mean, listed, printable, short

PLUGINS = "DIFFMIDI_PLUGINS"
"""Which packages of others are looked at: "none", or names with commas; unset: all. Ours always are."""
_OURS = re.compile(r"(?mi)^\s*\[\s*diffmidi")
_GROUP = re.compile(r"diffmidi([._-]\w+)?", re.IGNORECASE)
_REQUIRED = re.compile(r"\s*diffmidi\s*(?![\w.-])", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """An entry point under one of our groups, and whose it is.

    Attributes:
        requires: what its package requires of diffmidi, as its metadata have it ("diffmidi>=1.2").
    """

    group: str
    name: str
    target: str
    package: str
    version: str
    requires: tuple[str, ...]


@dataclass(frozen=True)
class Entries:
    """All that is installed.

    Attributes:
        found: what can be chosen.
        left_out: what `DIFFMIDI_PLUGINS` leaves out.
        strange: what is wrong with metadata, a sentence each; it is nobody's fault who did not choose that package.
    """

    found: tuple[Entry, ...]
    left_out: tuple[Entry, ...]
    strange: tuple[str, ...]


def read_entries(groups: Collection[str], only: str | None = None) -> Entries:
    """Every entry point under `groups`, and what else packages say to diffmidi; `only` is as `DIFFMIDI_PLUGINS` is."""
    found, left_out, strange = list[Entry](), list[Entry](), list[str]()
    wanted = _wanted(only)
    for distribution in distributions():
        try:
            package, version, texts, entries = _read(distribution)
        except _StrangeError as error:
            if wanted is None or error.package in wanted:
                strange.append(error.sentence)
            continue
        taken = wanted is None or normal(package) in wanted or package == BUILTIN_PACKAGE
        for entry in entries:
            if entry.group in groups:
                one = Entry(entry.group, entry.name, entry.value, package, version, texts)
                (found if taken else left_out).append(one)
        if taken:
            strange += _astray(f"{package} {version}", entries, groups)
    if wanted:
        there = {normal(entry.package) for entry in found}
        strange += [
            f"{PLUGINS} names {printable(name)}, and no such package that offers parts is installed."
            f"{did_you_mean(name, {entry.package for entry in (*found, *left_out)})}"
            for name in sorted(wanted - there)
        ]
    return Entries(tuple(found), tuple(left_out), tuple(strange))


def normal(package: str) -> str:
    """A package's name as all of its spellings have it: case, `-`, `_` and `.` do not count (PyPA)."""
    return re.sub(r"[-_.]+", "-", package).lower()


class _StrangeError(Exception):
    """Metadata that cannot be used, `sentence` says why; "" for a package that is no concern of ours."""

    def __init__(self, package: str, sentence: str) -> None:
        super().__init__(sentence)
        self.package, self.sentence = package, sentence


def _wanted(only: str | None) -> frozenset[str] | None:
    """Normal names of the packages to look at; None: all."""
    if only is None or not only.strip():
        return None
    names = {normal(name.strip()) for name in only.split(",")}
    return frozenset(names - {"", "none"})


def _read(distribution: Distribution) -> tuple[str, str, tuple[str, ...], tuple[EntryPoint, ...]]:
    """Name, version, requirements and entry points; none where it offers nothing. Raises _StrangeError."""
    nothing = "", "", (), ()
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except UnicodeDecodeError as error:
        if b"diffmidi" not in bytes(error.object):
            return nothing
        package, version = _origin(distribution)
        raise _unreadable(package, version, short(error)) from error
    except Exception:  # a file that may not be read, a finder that fails: no part of it can be known
        return nothing
    if not _OURS.search(text):
        return nothing
    package, version = _origin(distribution)
    if not _stands(distribution, package, version):
        return nothing
    try:
        entries = tuple(distribution.entry_points)
    except Exception as error:
        raise _unreadable(package, version, _wrong_line(text) or short(error)) from error
    return package, version, _requirements(distribution), entries


def _unreadable(package: str, version: str, why: str) -> _StrangeError:
    told = f"entry_points.txt of {package} {version} cannot be read ({why}), so that none of its parts is listed."
    return _StrangeError(normal(package), told)


def _origin(distribution: Distribution) -> tuple[str, str]:
    try:
        package, version = origin_of(distribution)
    except Exception:
        package, version = origin_of(None)
    return cut(printable(package)), cut(printable(version))


def _stands(distribution: Distribution, package: str, version: str) -> bool:
    """Whether it is the one that Python takes for the package: the first of its name on the path.

    Raises _StrangeError for one that has a name of another package, which is installed.
    """
    known = [_identity(each) for each in distributions(name=package)]
    own = _identity(distribution)
    if not known or own == known[0]:
        return True
    if own in known:
        return False
    place = printable(own[1])
    told = f"a package in {place} says that it is {package} {version}, and is not: none of its parts is listed."
    raise _StrangeError(normal(package), told)


def _identity(distribution: Distribution) -> tuple[str, str]:
    return _origin(distribution)[1], str(distribution.locate_file(""))


def _requirements(distribution: Distribution) -> tuple[str, ...]:
    with suppress(Exception):
        return tuple(text for text in distribution.requires or () if _REQUIRED.match(text))
    return ()


def _wrong_line(text: str) -> str:
    for number, line in enumerate(text.splitlines(), start=1):
        told = line.strip()
        if told and not told.startswith(("#", "[")) and "=" not in told:
            return f"line {number}: {cut(printable(told), 60)!r}"
    return ""


def _astray(origin: str, entries: Collection[EntryPoint], groups: Collection[str]) -> Iterator[str]:
    """What a package offers under a group that is meant for us, and is none of ours."""
    for group in sorted({entry.group for entry in entries} - set(groups)):
        tails = {known.partition(".")[2]: known for known in groups}
        near = [tails[each] for each in difflib.get_close_matches(group.lower()[len("diffmidi.") :], tails, n=1)]
        if not _GROUP.fullmatch(group) or not (near or group.lower().startswith("diffmidi.")):
            continue
        names = listed([entry.name for entry in entries if entry.group == group])
        hint = f" Did you mean '{near[0]}'?" if near else f" Groups: {', '.join(groups)}."
        yield f"{origin} offers {names} under {printable(group)}, which is no kind of part.{hint}"
