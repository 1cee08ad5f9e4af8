"""`diffmidi plugins`: what is installed, what can be set, and whether it keeps its promises."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TYPE_CHECKING

import click

from diffmidi_core.cli.described import one_line, options_of
from diffmidi_core.cli.plugins_list import print_list
from diffmidi_core.cli.plugins_new import new
from diffmidi_core.cli.tables import new_console, new_table
from diffmidi_core.errors import BrokenPluginError, DiffmidiError, UsageError
from diffmidi_core.numbers import better_text
from diffmidi_core.sections import BUILTIN_PACKAGE
from diffmidi_core.wording import printable

if TYPE_CHECKING:
    from diffmidi_core.declaration import Described
    from diffmidi_core.registry import Offer


@click.group("plugins", invoke_without_command=True)
@click.option("--kind", "kind", metavar="KIND", help="List one kind of part alone: metric, sampler, ...")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def command(context: click.Context, kind: str | None, as_json: bool) -> None:
    """List every installed part: built-ins, and what other packages add.

    Of a part that is listed without a remark, the declaration can be read and what it needs is there ("declared", in
    JSON); `plugins check` builds and checks it.
    """
    if context.invoked_subcommand is None:
        rows = [_row(offer) for offer in _every_offer(kind)]
        _tell_strange()
        if as_json:
            click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        else:
            print_list(rows)


@command.command("show")
@click.argument("kind")
@click.argument("name")
def show(kind: str, name: str) -> None:
    """Explain what a part is and what can be set: `diffmidi plugins show backbone bert`."""
    from rich.text import Text

    from diffmidi_core.declaration import Declaration
    from diffmidi_core.registry import find

    offer = find(kind, name)
    declaration = offer.described()
    console = new_console()
    console.print(Text.assemble((f"{offer.kind} {offer.name}", "bold"), f": {declaration.summary}"))
    for fact, value in _facts(offer, declaration):
        console.print(Text(f"{fact:<16}{value}"))
    if (problem := offer.problem()) is not None:
        raise BrokenPluginError(problem)
    if not isinstance(declaration, Declaration):
        return
    options = options_of(offer)
    if not options:
        console.print(Text("It has no options."))
        return
    table = new_table("option", "type", "default", "bounds", "meaning")
    for row in options:
        table.add_row(*(Text(cell) for cell in row))
    console.print()
    console.print(table)
    example, _, default, *_ = options[0]
    where = f"{kind}.{name}.{example}" if kind in ("control", "metric", "renderer", "hook") else f"{kind}.{example}"
    # Quoted for a shell, and on one line however long, so that it can be copied.
    setting = shlex.quote(f"{where}={default or 'VALUE'}")
    console.print(Text(f"\nSet one with -o {setting}"), soft_wrap=True)


def _facts(offer: Offer, declaration: Described) -> Iterator[tuple[str, str]]:
    """What there is to know of a part besides its summary and its options; or what a preset sets."""
    from diffmidi_core.declaration import (
        Declaration,
        MetricDeclaration,
        Preset,
        ProcessDeclaration,
        SamplerDeclaration,
    )
    from diffmidi_core.kinds import KINDS
    from diffmidi_core.layers import flat

    yield "package", offer.origin
    if KINDS[offer.kind].folder and offer.problem() is None:
        yield "folder", str(offer.folder())
    if isinstance(declaration, Declaration):
        yield "implementation", declaration.implementation
    if isinstance(declaration, ProcessDeclaration | SamplerDeclaration) and declaration.family:
        yield "family", declaration.family
    if isinstance(declaration, ProcessDeclaration) and declaration.goes_with:
        yield "goes with", ", ".join(f"{kind} {name}" for kind, name in declaration.goes_with.items())
    if isinstance(declaration, SamplerDeclaration) and declaration.steps:
        yield "steps", f"{declaration.steps}, unless --steps says otherwise"
    if isinstance(declaration, MetricDeclaration) and declaration.title:
        yield "shown as", f"{declaration.title}{better_text(declaration.better)}"
    if isinstance(declaration, Preset):
        for name, value in flat(declaration.parts).items():
            yield (
                "sets",
                f"{name} = {', '.join(value) if isinstance(value, list) else json.dumps(value).strip(chr(34))}",
            )


@command.command("check")
@click.argument("package", required=False)
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="TEST=REASON",
    help="A check that fails today, and why: 'schedule-acme:slope-check_noise_at_one=kept as published'. One that "
    "passes all the same is an error. Repeat it for several.",
)
def check(package: str | None, expected: tuple[str, ...]) -> None:
    """Run the conformance kit on what PACKAGE offers (default: on everything that is installed)."""
    from diffmidi_core.testing.component import Component, failures, installed_by, promise_of, where

    _tell_strange()
    reasons = _reasons(expected)
    offers = installed_by(package) if package else list(_every_offer())
    count, wrong, unmet = 0, 0, dict(reasons)
    for offer in offers:
        click.echo(f"{Component(offer)}  ({offer.origin})")
        passed = failed = 0
        for name, error in failures(offer):
            count += 1
            reason = unmet.pop(f"{Component(offer)}-{name}", None)
            state = _state(error is None, reason)
            click.echo(f"  {state}  {name}{f' ({reason})' if reason is not None else ''}")
            wrong += state in ("FAIL", "PASS")
            failed += error is not None
            passed += error is None
            if state == "PASS":
                click.echo("        it passes: take it out of --expect")
            if error is not None:
                click.echo(f"        {one_line(error)}")
                for label, text in (("promise", promise_of(offer, name)), ("look at", where(offer, error))):
                    if text:
                        click.echo(f"        {label}: {text}")
        click.echo(f"  checked: {passed} passed{f', {failed} failed' * bool(failed)}")
    if unmet:
        raise UsageError(f"--expect names no check of these parts: {', '.join(unmet)}.")
    if wrong:
        raise DiffmidiError(f"{wrong} of {count} checks failed.")
    as_expected = f", {len(reasons)} of them as expected to fail" if reasons else ""
    click.echo(f"All {count} checks {'went as they should' if reasons else 'passed'}{as_expected}.")


def _reasons(expected: Iterable[str]) -> dict[str, str]:
    """Test id to reason, as `expected_failures` of `parametrize_with_checks` has it."""
    found = {}
    for each in expected:
        name, _, reason = each.partition("=")
        if not (name.strip() and reason.strip()):
            raise UsageError(f"--expect is TEST=REASON, not {each!r}: say why the check fails.")
        found[name.strip()] = reason.strip()
    return found


def _state(passed: bool, reason: str | None) -> str:
    if reason is None:
        return "pass" if passed else "FAIL"
    return "PASS" if passed else "xfail"


def _every_offer(kind: str | None = None) -> Iterable[Offer]:
    from diffmidi_core.kinds import KINDS
    from diffmidi_core.registry import offers

    return (offer for each in ([kind] if kind is not None else KINDS) for offer in offers(each))


def _tell_strange() -> None:
    """What is wrong with the metadata of packages, beside the list, which stays JSON where it is that."""
    from diffmidi_core.registry import strange

    for sentence in strange():
        click.echo(f"Warning: {sentence}", err=True)


SLOW = 1.0
"""Seconds that a declaration may take to import before its package is named."""


def _row(offer: Offer) -> dict[str, str | None]:
    begun = monotonic()
    problem, described = offer.inspected()
    if (seconds := monotonic() - begun) > SLOW and offer.package != BUILTIN_PACKAGE:
        click.echo(f"Warning: {offer.title} took {seconds:.1f} s to say what it is.", err=True)
    summary = printable(described.summary) if described is not None else ""
    return {
        "kind": offer.kind,
        "name": offer.spelling,
        "package": offer.package,
        "version": offer.version,
        "state": "declared" if problem is None else "broken",
        "why": problem,
        "summary": summary,
    }


command.add_command(new)
