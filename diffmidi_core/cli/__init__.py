"""The command line: one file a command, imported when it is used."""

from __future__ import annotations

import contextlib
import importlib
import keyword
import os
import sys
import traceback

import click
from click.shell_completion import CompletionItem

from diffmidi_core import __version__
from diffmidi_core.allowing import allow, spelled
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import may_not_be_read
from diffmidi_core.wording import printable

COMMANDS = {
    "run": "Prepare, train, sample, evaluate, render and report: all of a run.",
    "prepare": "Turn music into a token dataset.",
    "train": "Train the run's model.",
    "sample": "Draw new music.",
    "train-classifier": "Train what leads a model to a label of its music.",
    "labels": "List what a model can be asked for.",
    "infill": "Draw part of a MIDI file anew.",
    "vary": "Draw some of what the notes of a MIDI file are anew.",
    "continue": "Write more bars behind a MIDI file.",
    "studio": "Paint, hear and keep music on a local page.",
    "evaluate": "Measure the model and its music.",
    "render": "Make samples audible and visible.",
    "report": "Write the whole run as one page.",
    "export": "Write the model as a folder for others.",
    "push": "Publish the model on the Hugging Face Hub.",
    "compare": "Show runs side by side.",
    "text": "Show a piece as tokens, or write tokens back as MIDI.",
    "models": "List the installed models, which are taken by name.",
    "plugins": "List, show and check the installed parts, or begin one of your own.",
    "completion": "Let a shell complete commands, options and names.",
}
"""Name to one-liner; NAME itself is the function `command` in cli/NAME.py (_ for -; NAME_ where Python has NAME)."""


class _Lazy(click.Group):
    """A group that knows its commands' names and one-liners, and imports a command only to run it.

    FILE.py:Class anywhere among its arguments names a part of a user's own file (`own.spelled`).
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spelled(args))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = f"{name}_" if keyword.iskeyword(name) else name.replace("-", "_")
        command = importlib.import_module(f"diffmidi_core.cli.{module}").command
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    """Print our version, and on a second line what else a report of a fault should name."""
    if asked and not context.resilient_parsing:
        import platform

        from diffmidi_core.packages import version_of

        below = ", ".join(f"{package} {version_of(package) or 'missing'}" for package in ("torch", "transformers"))
        click.echo(f"diffmidi {__version__}\nPython {platform.python_version()}, {below}, {platform.platform()}")
        context.exit()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show versions.")
@click.option(
    "--import",
    "imported",
    multiple=True,
    metavar="FILE.py|MODULE",
    help="A file or module of your own whose classes may be chosen as MODULE:CLASS, as those of a saved run are.",
)
def group(imported: tuple[str, ...]) -> None:
    """Train, sample, steer and judge diffusion models on symbolic (MIDI) music.

    `diffmidi run` learns from Bach chorales; `diffmidi run --data FOLDER` learns from your own MIDI files.
    """
    for each in imported:
        allow(each)


def main() -> None:
    """`diffmidi`: runs a command, and reports what is wrong in one sentence.

    With DIFFMIDI_DEBUG in the environment the traceback comes before it: for authors of parts.
    """
    # Threads that spin while they wait halve torch's speed as soon as another program wants a core; see
    # benchmarks/README.md. OpenMP reads this when torch is loaded, which is later.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    code: object = 1  # of what nobody foresaw
    try:
        code = _done()
    except SystemExit as left:
        code = left.code
        raise
    finally:
        _leave(code if isinstance(code, int) else 0)
    sys.exit(code if isinstance(code, int) else 0)


def _done() -> object:
    """Run the command; what it returns, or the exit code of what went wrong, once that is told."""
    try:
        code = group.main(prog_name="diffmidi", standalone_mode=False)
        sys.stdout.flush()
        return code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DiffmidiError as error:
        if os.environ.get("DIFFMIDI_DEBUG"):
            traceback.print_exc()
        _end_where_lost(error)
        # What an error quotes may be a name that somebody else chose.
        text = "\n".join(map(printable, str(error).split("\n")))
        _tell(f"{'' if error.exit_code == 130 else 'Error: '}{text}")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _tell("Stopped. What had been written whole is still there, and nothing half-written is left.")
        return 130
    except PermissionError as error:
        _tell(f"Error: {may_not_be_read(str(error.filename or error))}")
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except OSError as error:
        _end_where_lost(error)
        _tell(f"Error: {_sentence(error)}")
        _close_output()
        return 1
    except MemoryError:
        _tell("Error: the memory is not enough for this: ask for less, or use a machine with more.")
        return 1
    except Exception as error:
        _end_where_lost(error)
        if (sentence := _blaming(error)) is None:
            raise
        if os.environ.get("DIFFMIDI_DEBUG"):
            traceback.print_exc()
        _tell(f"Error: {sentence}")
        return 1


def _blaming(error: Exception) -> str | None:
    """The sentence for what others' part raised, in whichever stage; None of an error that is ours."""
    from diffmidi_core.blame import culprit, is_ours

    part = culprit(error)
    return None if part is None or is_ours(part) else printable(part.failed("the command ran", error))


def _tell(sentence: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        click.echo(sentence, err=True)


def _end_where_lost(error: Exception) -> None:
    """End the program where an error comes of another process of several being gone; that is told in its place."""
    if "RANK" in os.environ:
        from diffmidi_core.machine import peers

        if (lost := peers.cause_of(error)) is not None:
            peers.end(lost)


def _leave(code: int) -> None:
    if "RANK" in os.environ:
        from diffmidi_core.machine import peers

        peers.leave(code)


def _sentence(error: OSError) -> str:
    """An error of the system that nothing else has reported; one that names no file is about standard output."""
    what = f"{printable(error.filename)} cannot be used" if error.filename else "what is printed cannot be written"
    return f"{what}: {error.strerror or error}."


def _close_output() -> None:
    """What could not be printed must not be tried again when Python ends, which would say so in its own words."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
