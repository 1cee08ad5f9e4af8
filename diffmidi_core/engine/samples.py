"""Samples as text files: the words that were drawn, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import whole_file


def write_sample(path: Path, ids: Ids, tokenizer: Tokenizer, about: Mapping[str, Any]) -> None:
    """Write words, with a comment line that says where they come from."""
    said = " ".join(f"{name}={value}" for name, value in about.items())
    with whole_file(path) as temporary:
        temporary.write_text(f"# {said}\n{' '.join(tokenizer.to_words(ids))}\n", encoding="utf-8")


def read_samples(folder: Path, tokenizer: Tokenizer) -> list[tuple[Path, Ids]]:
    """Every sample of a run. Raises DiffmidiError where there is none."""
    paths = sorted(folder.glob("*.txt"))
    if not paths:
        raise DiffmidiError(f"there are no samples in {folder}: run `diffmidi sample {folder.parent}` first.")
    return [(path, read_words(path, tokenizer)) for path in paths]


def read_words(path: Path, tokenizer: Tokenizer) -> Ids:
    """The ids of a text of words; `#` begins a comment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tokenizer.to_ids([word for line in lines for word in line.partition("#")[0].split()])
