"""The exact likelihood of a few windows beside their bound, in one or two orders of revealing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.data.dataset import Window
from diffmidi_core.judge.likelihood import SEED, window_bits
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.machine.seeds import generator_for
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.sections import EvaluateConfig

if TYPE_CHECKING:
    from diffmidi_core.draw.model import Model

TEXT = "as they stand"
"""The order of the text, in words; others are named after their types."""

CHOSEN_ON = 16
"""Windows of training music that an order is chosen on."""

Exact = Mapping[str, NDArray[np.float64]]


def exact_bits(
    work: Surroundings, model: Model, music: ReferenceMusic, windows: Sequence[Window], options: EvaluateConfig
) -> list[Exact]:
    """By the order in words, the [N + 2] bits of each of the windows, on every rank.

    Raises DiffmidiError where the model's process has a bound only.
    """
    orders: dict[str, tuple[str, ...]] = {TEXT: ()}
    if options.order == "types" and (chosen := _chosen(work, model, music)):
        orders[", ".join(chosen)] = chosen
    found: list[dict[str, NDArray[np.float64]]] = [{} for _ in windows]
    for name, order in orders.items():
        rows = window_bits(
            work, model.process, music.dataset, windows, levels=None, batch_size=options.batch_size, order=order
        )
        for exact, row in zip(found, rows, strict=True):
            exact[name] = np.sum(list(row.terms.values()), axis=0)
    return list(found)


def _chosen(work: Surroundings, model: Model, music: ReferenceMusic) -> tuple[str, ...]:
    """An order of types, chosen on training music and never on what is measured; () where there is none."""
    windows = music.training_windows(CHOSEN_ON)
    if not windows:
        work.hooks.warn(
            "there is no training music here to choose an order of types on, so tokens are revealed as they stand."
        )
        return ()
    device = work.accelerator.device
    with torch.no_grad(), work.autocast():
        batch = music.dataset.batch(windows).to(device)
        order = model.process.order_of_types(batch, generator_for(SEED, "order", device=device))
    if not order:
        work.hooks.warn(
            "this model has one order of revealing only, or does not know types before tokens, so they are revealed as "
            "they stand."
        )
    return order
