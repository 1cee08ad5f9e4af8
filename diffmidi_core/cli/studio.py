"""`diffmidi studio`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from diffmidi_core.cli.options import warned
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.errors import DiffmidiError, UsageError

DEFAULT = "starter"
NEEDED = ("starlette", "uvicorn", "python_multipart")


@click.command("studio")
@click.argument("file", type=UserPath(), metavar="[FILE]", required=False)
@click.option("--model", metavar="MODEL", help=f"A run, an exported folder or an installed model (default: {DEFAULT}).")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on this machine (default: a free one).")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option(
    "--folder", type=UserPath(), default=Path("studio"), show_default=True, help="Where its pieces and takes are kept."
)
def command(file: Path | None, model: str | None, port: int, no_browser: bool, folder: Path) -> None:
    """Open a page on this machine: drop or name a MIDI FILE, paint what is to be new, hear takes, keep one.

    Nothing leaves the machine. Pieces, takes and what was asked for stay in --folder, and are there again next time.
    """
    if any(importlib.util.find_spec(package) is None for package in NEEDED):
        raise UsageError("the studio needs a web server, which is not installed: pip install 'diffmidi[studio]'")

    from diffmidi_core.saved.installed import is_installed, model_at
    from diffmidi_core.saved.manifest import read_model

    if model is None:
        model = DEFAULT
        if not Path(DEFAULT).exists() and not is_installed(Path(DEFAULT)):
            raise DiffmidiError(
                "--model names no model, and none called starter is installed: `pip install diffmidi-starter`, or name "
                "a run (`diffmidi run` makes one) by --model RUN."
            )
    where = model_at(model)
    manifest = read_model(where, None, warned)

    from diffmidi_core.studio.serve import serve

    serve(
        folder, where, model, manifest, file=file, port=port, browser=not no_browser, tell=lambda text: click.echo(text)
    )
