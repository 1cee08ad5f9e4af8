"""What a safetensors file says of itself: looked at before its bytes are hashed or taken into memory. Light."""

from __future__ import annotations

import json
from pathlib import Path

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import check_regular, may_not_be_read

MOST_HEADER = 100 * 10**6
"""Bytes of a header; safetensors itself reads no more."""
_LENGTH = 8


def check_size(file: Path, remedy: str) -> None:
    """Raises DiffmidiError, which ends with the `remedy`, where a file is not as long as its header says.

    So is one that was cut short, and one that somebody made long: with holes, 64 GB take no room on a disk, and fill
    the memory where they are read.
    """
    try:
        check_regular(file)
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(_LENGTH), "little")
            if length > min(MOST_HEADER, size):
                raise ValueError("its header is longer than it")
            header = json.loads(opened.read(length))
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        whole = size == _LENGTH + length + max(ends, default=0)
    except FileNotFoundError:
        raise DiffmidiError(f"{file} is missing: {file.parent} is not whole, so {remedy}") from None
    except PermissionError:
        raise may_not_be_read(file) from None
    except OSError as error:
        raise DiffmidiError(f"{file} cannot be read ({error.strerror or error}): {remedy}") from None
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        whole = False
    if not whole:
        raise DiffmidiError(f"{file} is damaged (it is not as long as it says): {remedy}")
