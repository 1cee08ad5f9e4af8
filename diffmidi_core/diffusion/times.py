"""How the noise levels are drawn at which a step trains. A row meets the same one however the step is cut."""

from __future__ import annotations

import torch
from torch import Tensor

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.diffusion.categorical import draw_uniform


def spread_times(batch: Batch, generator: torch.Generator, least: float = 0.0) -> Tensor:
    """[B] times from `least` to 1, evenly spaced over the rows of the step from a random offset.

    Kingma et al. 2021, VDM, appendix I.1: each is uniform, and together they say more than independent ones.
    """
    device = batch.ids.device

    def draw(rows: int) -> Tensor:
        offset = draw_uniform(generator, (1,), device)
        return least + (1 - least) * ((offset + torch.arange(rows, device=device) / rows) % 1)

    return batch.rows_of(draw)


def uniform_levels(batch: Batch, generator: torch.Generator, count: int) -> Tensor:
    """[B] int64, each of 0 to `count` − 1 as likely, on the batch's device."""

    def draw(rows: int) -> Tensor:
        return torch.randint(count, (rows,), generator=generator, device=generator.device)

    return batch.rows_of(draw).to(batch.ids.device, non_blocking=True)
