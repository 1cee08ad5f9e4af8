"""Which row of a table is nearest to a point: the rule of Diffusion-LM's clamping trick."""

from __future__ import annotations

import torch
from torch import Tensor


def nearness(x: Tensor, table: Tensor) -> Tensor:
    """[..., V] how near each row of a table [V, D] is to x [..., D], in full precision also under autocast.

    x·E_w − ½ ‖E_w‖², which is ½ (‖x‖² − ‖x − E_w‖²): the largest is that of the nearest row, and ‖x‖² is the same for
    all of them.
    """
    with torch.autocast(x.device.type, enabled=False):
        table = table.to(x.dtype)
        return x @ table.T - (table**2).sum(-1) / 2
