"""Telling listeners what happens during a run, so that one that fails hurts nobody else.

pluggy matches arguments by name and checks signatures; its own loop stops at the first listener that raises, so each
listener is called on its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import click
import pluggy

from diffmidi_core import hookspecs
from diffmidi_core.errors import BrokenPluginError
from diffmidi_core.wording import printable


class Hooks:
    """The listeners of a run.

    Args:
        listeners: name and object of each; the object's methods marked with `hookimpl` are called.
        silent: tell nobody (ranks other than the main process).
    """

    def __init__(self, listeners: Iterable[tuple[str, object]] = (), *, silent: bool = False) -> None:
        self._manager = pluggy.PluginManager("diffmidi")
        self._manager.add_hookspecs(hookspecs)
        self.silent = silent
        self.warnings: list[str] = []
        for name, listener in listeners:
            try:
                self._manager.register(listener, name)
                self._manager.check_pending()
            except (pluggy.PluginValidationError, ValueError) as error:
                raise BrokenPluginError(f"hook '{name}' is broken: {str(error).splitlines()[-1].strip()}.") from error

    def emit(self, event: str, **values: Any) -> dict[str, Any]:
        """Tell every listener, and return what they answered (None aside), by their names.

        One that raises is named, switched off, and noted in `warnings`.
        """
        answers: dict[str, Any] = {}
        if self.silent:
            return answers
        listening = self._manager.get_plugins()
        for listener in self._in_order():
            only = self._manager.subset_hook_caller(event, listening - {listener})
            name = str(self._manager.get_name(listener))
            try:
                answered = only(**values)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # also what means to end the program: it is not a listener's to end
                self._manager.unregister(listener)
                self.warn(f"hook '{name}' failed at {event} ({type(error).__name__}: {error}); it is off from here on.")
            else:
                if answered:
                    (answers[name],) = answered
        return answers

    def warn(self, message: str) -> None:
        """Note something the user should know, and tell the listeners; where none shows it, it is printed here."""
        message = printable(message)
        self.warnings.append(message)
        shown = self.emit("warned", message=message)
        if not (self.silent or any(shown.values())):
            with contextlib.suppress(OSError):  # nobody is there to read it
                click.echo(f"Warning: {message}", err=True)

    def _in_order(self) -> list[object]:
        return [plugin for _, plugin in self._manager.list_name_plugin() if plugin is not None]
