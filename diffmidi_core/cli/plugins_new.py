"""`diffmidi plugins new`: a package of one's own, whose parts work and whose tests pass before anything is changed."""

from __future__ import annotations

import keyword
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from diffmidi_core.cli.paths import UserPath
from diffmidi_core.errors import DiffmidiError, UsageError

TEMPLATE = Path(__file__).parents[1] / "template"
WITHOUT_RUN = {"model"}
"""Kinds of which nothing can be tried in a run."""


@click.command("new")
@click.argument("name")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    required=True,
    metavar="KIND[=PART]",
    help="What it is to offer: metric, or metric=leap, to say what the part is called. Repeat it for several kinds.",
)
@click.option(
    "--into",
    type=UserPath(file_okay=False),
    default=Path("."),
    metavar="FOLDER",
    help="Where its folder is written (default: here).",
)
def new(name: str, kinds: tuple[str, ...], into: Path) -> None:
    """Write a package that adds parts of your own: `diffmidi plugins new acme-leaps --kind metric`.

    NAME is the package's, as pip knows it. Each part is a worked example that passes diffmidi's checks, and says what
    to write next. Kinds: tokenizer, backbone, schedule, process, sampler, control, metric, source, renderer, hook,
    preset, model.
    """
    module = module_of(name)
    parts = parts_of(kinds, module)
    folder = into / name
    if os.path.lexists(folder):
        raise UsageError(f"{folder} is there already: choose another name, or another place with --into.")
    check_free(name, module)
    for warning in warnings(name, parts):
        click.echo(f"Note: {warning}", err=True)
    write(folder, name, module, parts)
    click.echo(_next(folder, module, parts))


def module_of(name: str) -> str:
    """The module that a distribution's name gives: acme-leaps to acme_leaps. Raises UsageError where it gives none."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise UsageError(f"{name!r} is no name of a package: letters, digits and - between them, such as acme-leaps.")
    module = re.sub(r"[-_.]+", "_", name).lower()
    if not module.isidentifier() or keyword.iskeyword(module):
        raise UsageError(f"Python could not import a package called {module}: choose another NAME than {name}.")
    return module


def check_free(name: str, module: str) -> None:
    """Raise UsageError where something that can be imported is called so already."""
    from diffmidi_core.packages import exists

    if module in sys.stdlib_module_names or exists(module):
        raise UsageError(
            f"a module {module} is installed here already, which a package {name} would stand in the way of: choose "
            "another name."
        )


def parts_of(kinds: Iterable[str], module: str) -> dict[str, str]:
    """Kind to part, in the order of kinds; a part is called as the module unless a name is given. Raises UsageError."""
    from diffmidi_core.kinds import KINDS
    from diffmidi_core.wording import did_you_mean

    usual = re.sub(r"^diffmidi_|_diffmidi$", "", module)
    found: dict[str, str] = {}
    for text in kinds:
        kind, given, part = text.partition("=")
        if kind not in KINDS:
            raise UsageError(f"there is no kind '{kind}'.{did_you_mean(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
        if kind in found:
            raise UsageError(f"--kind {kind} is given twice: one part of a kind is written, for you to copy.")
        part = part if given else usual
        if not re.fullmatch(r"[a-z][a-z0-9_]*", part) or keyword.iskeyword(part):
            raise UsageError(
                f"'{part}' is no name of a part: small letters, digits and _, such as --kind {kind}=small_leaps."
            )
        found[kind] = part
    return {kind: found[kind] for kind in KINDS if kind in found}


def warnings(name: str, parts: Mapping[str, str]) -> Iterable[str]:
    """A sentence for each part that is called as one of diffmidi's own."""
    for kind, part in parts.items():
        if _is_builtin(kind, part):
            yield (
                f"diffmidi has a {kind} '{part}' of its own, and people would have to write {name}:{part} for yours; "
                f"--kind {kind}=NAME calls it otherwise."
            )


def write(folder: Path, name: str, module: str, parts: Mapping[str, str]) -> None:
    """Write the package, whole or not at all. Raises DiffmidiError in one sentence."""
    from diffmidi_core.files import whole_folder
    from diffmidi_core.kinds import KINDS

    try:
        from copier import run_copy
    except ImportError:
        raise UsageError(
            "diffmidi plugins new needs copier, which is not installed: pip install 'diffmidi[plugins]'."
        ) from None

    run = not set(parts) <= WITHOUT_RUN
    told = {
        "name": name,
        "module": module,
        "parts": dict(parts),
        "groups": {kind: KINDS[kind].group for kind in parts},
        "classes": {kind: _class_name(part, kind) for kind, part in parts.items()},
        "spelled": {kind: f"{name}:{part}" if _is_builtin(kind, part) else part for kind, part in parts.items()},
        "run": run,
    }
    with whole_folder(folder) as beside:
        run_copy(str(TEMPLATE), beside, data=told, exclude=left_out(parts), defaults=True, overwrite=True, quiet=True)
        if "model" in parts:
            _make_model(beside)


def left_out(parts: Mapping[str, str]) -> list[str]:
    """Files of the template that belong to kinds which are not asked for."""
    from diffmidi_core.kinds import KINDS

    kinds = [kind for kind in KINDS if kind not in parts]
    files = [*(f"{kind}.py" for kind in kinds), *(f"test_{kind}.py" for kind in kinds)]
    if "model" not in parts:
        files.append("make_model.py")
    if set(parts) <= WITHOUT_RUN:
        files += ["tiny.json", "test_run.py", "declarations.py"]
    return files


def _make_model(folder: Path) -> None:
    """Call what the package says its model is made by."""
    click.echo("Training a toy model to begin with: some seconds.", err=True)
    done = subprocess.run([sys.executable, "make_model.py"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DiffmidiError(f"the toy model could not be made ({last}): is `diffmidi run` working here?")


def _is_builtin(kind: str, part: str) -> bool:
    from diffmidi_core.registry import offers
    from diffmidi_core.sections import BUILTIN_PACKAGE

    return any(offer.name == part and offer.package == BUILTIN_PACKAGE for offer in offers(kind))


def _class_name(part: str, kind: str) -> str:
    """small_leaps, a control: SmallLeapsControl."""
    return "".join(word.capitalize() for word in [*part.split("_"), kind])


def _next(folder: Path, module: str, parts: Mapping[str, str]) -> str:
    first = next(iter(parts))
    file = {"model": "make_model.py", "preset": f"src/{module}/declarations.py"}.get(first, f"src/{module}/{first}.py")
    return (
        f"Wrote {folder}: {', '.join(f'{kind} {part}' for kind, part in parts.items())}.\n"
        f"  cd {folder}\n"
        "  pip install -e '.[dev]'\n"
        "  pytest\n"
        f"Its tests pass as it is. Begin with {file}: comments and README.md say what to write next."
    )
