"""Checksums: whether files are as they were written. SHA-256, which processors have instructions for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import check_regular, may_not_be_read

_READERS = 4
"""Files hashed at once: each takes a core."""
_CHECKSUM = "checksum"


def digest(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor(_READERS) as readers:
        sums = readers.map(digest, files)
        return {path.relative_to(folder).as_posix(): value for path, value in zip(files, sums, strict=True)}


def verify(folder: Path, files: Mapping[str, str], remedy: str) -> None:
    """Compare files, path in the folder to checksum.

    Raises DiffmidiError, which ends with the `remedy`, and names the first that is missing or not as it was written;
    UnreadableError where one may not be read, whose remedy is another.
    """
    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(_digest_if_there, [folder / name for name in files])
        for (name, expected), is_now in zip(files.items(), found, strict=True):
            if is_now is None:
                raise DiffmidiError(f"{folder / name} is missing: {folder} is not whole, so {remedy}")
            if is_now != expected:
                raise DiffmidiError(f"{folder / name} is damaged (it is not as it was written): {remedy}")


def _digest_if_there(file: Path) -> str | None:
    try:
        check_regular(file)
        return digest(file)
    except PermissionError:
        raise may_not_be_read(file) from None
    except OSError:
        return None


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with the checksum of all the rest of it."""
    rest = {name: value for name, value in content.items() if name != _CHECKSUM}
    return {**rest, _CHECKSUM: hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()}
