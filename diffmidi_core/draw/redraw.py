"""redraw: a piece with some of what its tokens tell drawn anew, such as its velocities; everything else stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import torch

from diffmidi_core.contracts.canvas import GIVEN, Canvas
from diffmidi_core.contracts.tokenizer import Ids, Role, Tokenizer
from diffmidi_core.draw.filling import Computing, Filling
from diffmidi_core.draw.model import Model
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.machine.build import blamed
from diffmidi_core.request import Request


def redraw(model: Model, ids: Ids, free: Sequence[Role], request: Request, computing: Computing) -> Ids:
    """The piece `ids` [N] with its tokens of the roles `free` drawn anew, each as another token of its own type.

    It is drawn window by window. All of a window's other tokens are given, and so are the new ones of the window
    before, of which it holds the share `request.overlap`.

    Raises UsageError for a role that this model's tokens do not tell, and DiffmidiError for a note of more tokens than
    a window holds.
    """
    tokenizer, ids = model.tokenizer, ids.copy()
    kinds = _free_kinds(tokenizer, free)
    type_of = torch.from_numpy(tokenizer.grammar.type_of)
    sets = torch.stack([type_of == kind for kind in kinds])
    set_of = torch.full((len(tokenizer.grammar.types),), GIVEN)
    set_of[kinds] = torch.arange(len(kinds))
    windows = list(_windows(tokenizer, ids, model.length, request.overlap))
    filling = Filling.of(model, request, computing)
    for number, (begin, new, end) in enumerate(windows):
        canvas = Canvas.begun([ids[begin:end]], [end - begin], width=model.length)
        allowed = canvas.allowed.clone()
        place = slice(1 + new - begin, 1 + end - begin)
        allowed[:, place] = set_of[type_of[canvas.ids[:, place]]]
        if bool((allowed == GIVEN).all()):
            continue

        def tell(done: int, steps: int, before: int = number) -> None:
            if computing.on_step is not None:
                computing.on_step(before * steps + done, len(windows) * steps)

        canvas = replace(canvas, allowed=allowed, sets=sets)
        with blamed("sampler", request.sampler, "drawing"):
            found, _ = filling(canvas, [0], number, tell)
        ids[new:end] = found[0, place]
    return ids


def _free_kinds(tokenizer: Tokenizer, free: Sequence[Role]) -> list[int]:
    """The types of the roles, by number."""
    there = {*tokenizer.roles.values()}
    for role in free:
        if role not in there:
            known = ", ".join(each for each in get_args(Role) if each in there) or "none"
            raise UsageError(
                f"this model has no tokens that tell {role!r} and nothing else. What it has such tokens for: {known}."
            )
    if not free:
        raise UsageError("nothing is free to be drawn anew: name a role, such as 'velocity'.")
    return [tokenizer.grammar.types.index(name) for name, role in tokenizer.roles.items() if role in free]


def _windows(tokenizer: Tokenizer, ids: Ids, length: int, overlap: float) -> Iterator[tuple[int, int, int]]:
    """Windows that tile a piece at note boundaries: where one begins, where it is new, and where it ends."""
    boundaries = np.append(tokenizer.starts(ids), len(ids))
    new = 0
    while new < len(ids):
        begin = int(boundaries[np.searchsorted(boundaries, max(0, new - round(overlap * length)))])
        end = int(boundaries[np.searchsorted(boundaries, begin + length, side="right") - 1])
        if end <= new:  # what is new does not fit beside what was heard
            begin = new
            end = int(boundaries[np.searchsorted(boundaries, begin + length, side="right") - 1])
        if end <= new:
            raise DiffmidiError(
                f"a note of the piece takes more tokens than the model's windows hold ({length}), after token {new} of "
                "it: choose a model with a larger --length."
            )
        yield begin, new, end
        new = end
