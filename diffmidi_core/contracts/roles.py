"""Which tokens tell what, by the roles of their types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Role, Tokenizer


def tells(tokenizer: Tokenizer, *roles: Role) -> NDArray[np.bool_]:
    """[V] whether a token's type has one of these roles."""
    grammar = tokenizer.grammar
    types = np.array([tokenizer.roles.get(name) in roles for name in grammar.types])
    told: NDArray[np.bool_] = types[grammar.type_of]
    return told
