"""`mmm` is one of two classes, by its layout."""

from __future__ import annotations

from diffmidi_tokenizers.cells import CellTokens
from diffmidi_tokenizers.declarations import NoteTokensOptions
from diffmidi_tokenizers.note_tokens import NoteTokens


class Mmm(NoteTokens):
    """What the name `mmm` builds: `CellTokens` for layout `cells`, `NoteTokens` for every other."""

    def __new__(cls, options: NoteTokensOptions) -> NoteTokens | CellTokens:  # type: ignore[misc]
        """Neither is an Mmm, so nothing is initialised twice."""
        return CellTokens(options) if options.layout == "cells" else NoteTokens(options)
