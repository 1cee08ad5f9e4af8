"""Names of what is installed: what a shell is told that completes a value, and what help lists.

Names come from metadata: nothing of a part, and nothing heavy, is imported while somebody presses the tab key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

Completing = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def names(kind: str, *others: str) -> Completing:
    """Completes the names of a kind of parts, each with its package only where another has that name, and `others`."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        from diffmidi_core.registry import offers

        installed = offers(kind)
        named = Counter(offer.name for offer in installed)
        found = {offer.name if named[offer.name] == 1 else offer.spelling for offer in installed}
        return [CompletionItem(name) for name in sorted(found | {*others}) if name.startswith(begun)]

    return complete


def models(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Completes the name of an installed model that was begun, else paths: bash shows either the one or the other."""
    found = names("model")(context, parameter, begun) if begun else []
    return found or [CompletionItem(begun, type="file")]


class PresetOption(click.Option):
    """--preset: its help names every preset that is installed, which is looked up only when help is asked for."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The flag and its help."""
        from diffmidi_core.presets import summaries

        flag, told = super().get_help_record(ctx) or ("--preset", "")
        text, default, rest = told.rpartition(" (default")
        return flag, f"{text}: {summaries()}{default}{rest}"
