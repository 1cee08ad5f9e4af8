"""The built-in listener, declared."""

from __future__ import annotations

from diffmidi.api import Declaration

console = Declaration(
    summary="progress bars, figures and paths on the terminal (rich)",
    implementation="diffmidi_console.console:Console",
)
