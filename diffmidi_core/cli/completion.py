"""`diffmidi completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_DIFFMIDI_COMPLETE"
"""In the environment it makes `diffmidi` answer a shell in place of running a command: click's own way."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, names of parts and models, and paths.

    For bash, put `eval "$(diffmidi completion bash)"` into ~/.bashrc; for zsh `eval "$(diffmidi completion zsh)"`
    into ~/.zshrc; for fish: diffmidi completion fish > ~/.config/fish/completions/diffmidi.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(context.find_root().command, {}, "diffmidi", VARIABLE).source())
