"""Samples as text files: the words that were drawn, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import whole_file


@dataclass(frozen=True)
class Drawn:
    """One piece: its words, without specials, and what the sampler says of how they came about."""

    ids: Ids
    record: Mapping[str, int]


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


def read_record(path: Path) -> dict[str, int]:
    """The whole numbers that stand in a sample's comments: name to number."""
    comments = (line.partition("#")[2] for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (said.partition("=") for comment in comments for said in comment.split())
    return {name: int(value) for name, _, value in pairs if value.isascii() and value.isdecimal()}


def read_words(path: Path, tokenizer: Tokenizer) -> Ids:
    """The ids of a text of words."""
    return parse_words(tokenizer, path.read_text(encoding="utf-8"), str(path))


def parse_words(tokenizer: Tokenizer, text: str, name: str) -> Ids:
    """Words parted by white space as ids; `#` begins a comment.

    Raises DiffmidiError that names the line of `name` with the first word that the tokenizer does not have.
    """
    known = set(tokenizer.vocab)
    words: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        for word in line.partition("#")[0].split():
            if word not in known:
                raise DiffmidiError(f"{name}, line {number}: {word!r} is not a word. {describe_words(tokenizer)}")
            words.append(word)
    return tokenizer.to_ids(words)


def describe_words(tokenizer: Tokenizer) -> str:
    """The first and the last word of each type."""
    grammar, vocab = tokenizer.grammar, tokenizer.vocab
    blocks = ([vocab[i] for i in (grammar.type_of == kind).nonzero()[0]] for kind in range(1, len(grammar.types)))
    return f"Words are {', '.join(f'{block[0]}..{block[-1]}' for block in blocks if block)}."
