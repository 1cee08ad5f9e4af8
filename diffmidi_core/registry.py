"""Which parts are installed: entry points, read from package metadata without importing anything.

`offers(kind)` lists and `find(kind, name)` picks one, an `Offer`. A broken package hurts only its own names, and what
is wrong with its metadata is told by `strange()`. With DIFFMIDI_PLUGINS in the environment only the packages that it
names are looked at, beside diffmidi's own; "none": no other.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from diffmidi_core.entries import PLUGINS, Entry, normal, read_entries
from diffmidi_core.errors import BrokenPluginError, UsageError
from diffmidi_core.kinds import KINDS
from diffmidi_core.offer import Offer as Offer
from diffmidi_core.offer import check_options as check_options
from diffmidi_core.own import IMPORTED
from diffmidi_core.sections import BUILTIN_PACKAGE
from diffmidi_core.wording import did_you_mean


@dataclass(frozen=True)
class _Installed:
    """What is installed: the offers of each kind, those that the environment leaves out, and what is odd."""

    offers: Mapping[str, tuple[Offer, ...]]
    left_out: Mapping[str, tuple[Offer, ...]]
    strange: tuple[str, ...]


def _installed() -> _Installed:
    return _read(os.environ.get(PLUGINS))


@cache
def _read(only: str | None) -> _Installed:
    kinds = {kind.group: kind.name for kind in KINDS.values()}
    entries = read_entries(kinds, only)

    def by_kind(some: Iterable[Entry]) -> Mapping[str, tuple[Offer, ...]]:
        every = {
            Offer(kinds[each.group], each.name, each.package, each.version, each.target, each.requires) for each in some
        }
        return {name: tuple(sorted((one for one in every if one.kind == name), key=_order)) for name in KINDS}

    return _Installed(by_kind(entries.found), by_kind(entries.left_out), entries.strange)


def _order(offer: Offer) -> tuple[object, ...]:
    return offer.package != BUILTIN_PACKAGE, offer.name, offer.package, offer.target


def forget_installed() -> None:
    """Read the metadata again at the next lookup: something was installed while this process runs."""
    _read.cache_clear()


def strange() -> tuple[str, ...]:
    """What is wrong with the metadata of installed packages, a sentence each: what they offer under no kind of ours."""
    return _installed().strange


def offers(kind: str) -> tuple[Offer, ...]:
    """Every installed offer of a kind, ours first; from metadata, without importing anything."""
    if kind not in KINDS:
        raise UsageError(f"there is no kind '{kind}'.{did_you_mean(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    return _installed().offers[kind]


def find(kind: str, name: str) -> Offer:
    """The offer that a name means: `name` (ours, or the only one) or `package:name`. Raises UsageError.

    A package's part that has been renamed since is found by the name it had (`Declaration.was`), with the package. What
    no package offers may be a class of a module that the user has named (`own_part`).
    """
    installed = offers(kind)
    package, _, bare = name.rpartition(":")
    matches = _named(installed, name)
    if package and not matches:
        matches = [offer for offer in installed if same(package, offer.package) and offer.was(bare)]
    if not package and any(offer.package == BUILTIN_PACKAGE for offer in matches):
        matches = [offer for offer in matches if offer.package == BUILTIN_PACKAGE]
    if len(matches) == 1:
        return matches[0]
    if matches:
        if len({offer.package for offer in matches}) == 1:
            targets = " and ".join(offer.target for offer in matches)
            raise BrokenPluginError(f"{matches[0].origin} offers {kind} '{bare}' twice, as {targets}.")
        raise UsageError(
            f"{kind} '{name}' is offered by {' and '.join(offer.origin for offer in matches)}. "
            f"Choose one: {' or '.join(offer.spelling for offer in matches)}."
        )
    own = Offer(kind, bare, package, IMPORTED, name)
    if package and own.is_there():
        return own
    raise UsageError(_not_installed(kind, name, installed))


def own_offers(spec: str) -> list[Offer]:
    """What `module:Name` of a module that the user has named can be chosen as. Raises BrokenPluginError."""
    package, _, name = spec.rpartition(":")
    found, wrong = list[Offer](), None
    # Any class at all can be a listener.
    for kind in (each.name for each in KINDS.values() if package and each.contract and each.name != "hook"):
        offer = Offer(kind, name, package, IMPORTED, spec)
        try:
            found += [offer] if offer.is_there() else []
        except BrokenPluginError as error:
            wrong = error
    if wrong is not None and not found:
        raise wrong
    return found


def going_with(process: str, chosen: Container[str]) -> dict[str, str]:
    """The parts that a process takes with it (`ProcessDeclaration.goes_with`), of the kinds that are not `chosen`.

    Where several packages have one of that name, and ours have none, its own package's is meant. Raises
    BrokenPluginError that names the process where there is no such part.
    """
    offer, found = find("process", process), dict[str, str]()
    for kind, name in offer.process().goes_with.items():
        if kind in chosen:
            continue
        own = f"{offer.package}:{name}"
        ours = any(each.package == BUILTIN_PACKAGE for each in _named(offers(kind), name))
        found[kind] = own if _named(offers(kind), own) and not ours else name
        try:
            find(kind, found[kind])
        except UsageError as error:
            raise BrokenPluginError(f"{offer.title} is broken: it goes with {kind} '{name}', and {error}") from error
    return found


def _named(some: Iterable[Offer], name: str) -> list[Offer]:
    package, _, bare = name.rpartition(":")
    return [offer for offer in some if offer.name == bare and (not package or same(package, offer.package))]


def _not_installed(kind: str, name: str, installed: Collection[Offer]) -> str:
    """That there is no such part, and what the user may have meant."""
    package, _, bare = name.rpartition(":")
    spellings = [offer.spelling for offer in installed]
    near = did_you_mean(name, {*spellings, *(offer.name for offer in installed)})
    told = f"no {kind} '{name}' is installed.{near} Installed: {', '.join(spellings) or 'none'}."
    for offer in _named(_installed().left_out[kind], name):
        told += f" {PLUGINS}={os.environ.get(PLUGINS)} leaves out {offer.origin}, which offers it."
    if package and not any(same(package, offer.package) for offer in installed) and bare.isidentifier():
        told += f" A class of a module of yours is chosen so once it is imported: diffmidi --import {package} ..."
    for sentence in strange():
        if f" offers {bare} under " in sentence:
            told += f" {sentence}"
    return told


def source_of(data: str | None) -> str:
    """The source that takes these data (`SourceDeclaration.takes`): a folder that is there is claimed with a final `/`.

    Ours are asked before others', which are not imported where ours answer; what no one claims is for whoever takes
    folders, to say that it is not there.
    """
    there = data is not None and Path(data).expanduser().is_dir()
    text = f"{(data or '').rstrip('/')}/" if there else data or ""
    installed = offers("source")
    ours = [offer for offer in installed if offer.package == BUILTIN_PACKAGE]
    found = (
        [offer for offer in ours if offer.takes(text)]
        or [offer for offer in installed if offer not in ours and offer.takes(text)]
        or [offer for offer in ours if offer.takes(f"{text}/")]
    )
    if len(found) != 1:
        names = " or ".join(f"--source {offer.spelling}" for offer in found or installed)
        raise UsageError(
            f"{'several sources take' if found else 'no source takes'} --data {data}: choose one, {names}."
        )
    return found[0].spelling


def same(package: str, other: str) -> bool:
    """Whether two spellings name one package."""
    return normal(package) == normal(other)
