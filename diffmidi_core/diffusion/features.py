"""What a backbone makes of music, as one vector."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def pooled(backbone: nn.Module, read: Callable[[], object]) -> Tensor:
    """[B, H] the features that the backbone gives while `read` runs, averaged over positions.

    Rows are to be of one length: padding would be averaged too.
    """
    found: list[Tensor] = []
    listening = backbone.register_forward_hook(lambda module, given, features: found.append(features))
    try:
        with torch.no_grad():
            read()
    finally:
        listening.remove()
    return found[-1].float().mean(1)
