"""Groups that the user names: pieces of one folder, or of one value in a column of the labels, stay together."""

from __future__ import annotations

from collections.abc import Callable
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.data.given_labels import GivenLabels
from diffmidi_core.data.split import split_key
from diffmidi_core.errors import UsageError
from diffmidi_core.music.reading import printable

Keys = NDArray[np.int64]
GroupOf = Callable[[str], str]
"""From a piece's id to the name of its group; "" where it is in none."""

BY_FOLDER = "folder"


def group_of(by: str, given: GivenLabels | None) -> GroupOf:
    """How `prepare.group` names groups: `folder`, the one that the file lies in, or a column of the labels CSV.

    A file at the top, or an empty cell, is in no group. Raises UsageError where there is no such column.
    """
    if by == BY_FOLDER:
        return lambda piece: normalize("NFC", piece.rpartition("/")[0])
    if given is None:
        raise UsageError(
            f"prepare.group={printable(by)} names a column of the labels: give their CSV file by "
            f"-o prepare.labels=FILE, or group by '{BY_FOLDER}'."
        )
    by = normalize("NFC", by)
    if by not in given.names:
        raise UsageError(
            f"prepare.group={printable(by)}: the labels of {printable(given.path)} have no column of that name; "
            f"they have {', '.join(map(printable, given.names))}, and '{BY_FOLDER}' groups by folder."
        )
    return lambda piece: normalize("NFC", str(given.of(piece).get(by, "")))


def joined(keys: Keys, group: Keys) -> Keys:
    """[N] split keys in which rows of one group have one key, the lowest, and rows that had one key still do."""
    _, named = np.unique(keys, return_inverse=True)
    while True:
        before = keys
        for together in (group, named):
            lowest = np.full(len(keys), np.iinfo(np.int64).max)
            np.minimum.at(lowest, together, keys)
            keys = lowest[together]
        if (keys == before).all():
            return keys


def named_keys(keys: Keys, names: list[str]) -> Keys:
    """[N] split keys of groups by their names [N], where they have one; rows that had one key still do."""
    by_name = np.array([split_key(name, b"") if name else key for name, key in zip(names, keys.tolist(), strict=True)])
    _, before = np.unique(keys, return_inverse=True)
    return joined(by_name.astype(np.int64), before)
