"""What was worked out of a token dataset, kept beside it: built once, by one of all processes that ask for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import sweep, whole_folder

ABANDONED = 3600.0
"""Seconds after which what a killed process left half-written is removed."""


@dataclass(frozen=True)
class Kept:
    """Folders beside `tokens.arrow`, named after what they hold and the fingerprint of the dataset that it is of."""

    folder: Path
    fingerprint: str

    @classmethod
    def beside(cls, folder: Path, fingerprint: str) -> Self | None:
        """None where nothing may be written there: a dataset of someone else."""
        return cls(folder, fingerprint) if os.access(folder, os.W_OK) else None

    def __call__(self, name: str, fill: Callable[[Path], None]) -> Path:
        """The folder of that name; where there is none, `fill` writes it, and it is there whole or not at all.

        Other processes wait meanwhile. Where the file system locks nothing, several may fill one each: all hold the
        same, and one of them stays. Raises DiffmidiError where it cannot be written (disk full).
        """
        target = self.folder / f"{name}-{self.fingerprint}"
        if target.is_dir():
            return target
        from filelock import FileLock

        try:
            with FileLock(self.folder / f".{name}.lock"):
                if not target.is_dir():
                    sweep(self.folder, older=ABANDONED)
                    with whole_folder(target) as temporary:
                        fill(temporary)
        except DiffmidiError:
            if not target.is_dir():
                raise
        except OSError as error:
            raise DiffmidiError(f"{target} cannot be written: {error.strerror or error}.") from error
        return target
