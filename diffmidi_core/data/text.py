"""Tokens as text that people read and edit: separated by white space, `#` begins a comment."""

from __future__ import annotations

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.errors import DiffmidiError


def parse_tokens(tokenizer: Tokenizer, text: str, name: str) -> Ids:
    """The ids of a text.

    Raises DiffmidiError that names the line of `name` with the first token that the tokenizer does not have.
    """
    known = set(tokenizer.vocab)
    tokens: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        for token in line.partition("#")[0].split():
            if token not in known:
                raise DiffmidiError(f"{name}, line {number}: {token!r} is not a token. {describe_tokens(tokenizer)}")
            tokens.append(token)
    return tokenizer.to_ids(tokens)


def describe_tokens(tokenizer: Tokenizer) -> str:
    """The first and the last token of each type."""
    grammar, vocab = tokenizer.grammar, tokenizer.vocab
    blocks = ([vocab[i] for i in (grammar.type_of == kind).nonzero()[0]] for kind in range(1, len(grammar.types)))
    return f"Tokens are {', '.join(f'{block[0]}..{block[-1]}' for block in blocks if block)}."
