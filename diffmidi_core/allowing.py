"""Which of the user's own modules parts may be taken from: those that DIFFMIDI_IMPORT names, for child processes too.

`diffmidi --import` and FILE.py:Class on the command line set it. Light: the command line needs it before anything else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from diffmidi_core.errors import UsageError
from diffmidi_core.wording import printable

IMPORT = "DIFFMIDI_IMPORT"
"""Modules and files whose classes may be chosen, with commas."""
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_ARGUMENT = re.compile(r"(?P<flag>--[\w-]+=)?(?P<file>[^=]+\.py):(?P<name>[A-Za-z_]\w*)")


def spelled(arguments: Sequence[str]) -> list[str]:
    """Arguments of a command with `module:Class` in place of FILE.py:Class, whose file is allowed from now on.

    Raises UsageError where there is no such file.
    """
    return [_spelled(argument) for argument in arguments]


def _spelled(argument: str) -> str:
    match = _ARGUMENT.fullmatch(argument)
    if match is None:
        return argument
    return f"{match['flag'] or ''}{allow(match['file'])}:{match['name']}"


def allow(named: str) -> str:
    """Let parts of a module or of a FILE.py be chosen from now on, in child processes too. Returns its module's name.

    Nothing of it is imported yet. Raises UsageError where it can be none.
    """
    if not named.endswith(".py"):
        if not MODULE.fullmatch(named):
            raise UsageError(f"--import takes a module or a FILE.py, not {printable(named)!r}.")
        module = named
    else:
        file = Path(named).expanduser().resolve()
        if not file.is_file():
            raise UsageError(f"there is no file {printable(file)}.")
        if not MODULE.fullmatch(file.stem) or "," in str(file):
            raise UsageError(f"{printable(file)} cannot be imported: give it a name of letters, digits and _ alone.")
        module, named = file.stem, str(file)
    known = [each for each in os.environ.get(IMPORT, "").split(",") if each]
    os.environ[IMPORT] = ",".join(dict.fromkeys([*known, named]))
    return module


def allowed() -> Mapping[str, Path | None]:
    """Modules that the user allows by name, and the file of each that is named by its file."""
    named = [each.strip() for each in os.environ.get(IMPORT, "").split(",") if each.strip()]
    files = {Path(each).stem: Path(each).expanduser().resolve() for each in named if each.endswith(".py")}
    return {**{each: None for each in named if not each.endswith(".py")}, **files}
