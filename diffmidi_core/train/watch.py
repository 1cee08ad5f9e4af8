"""Watch: the first step that was not finite, found without waiting for any step."""

from __future__ import annotations

import torch
from torch import Tensor

_NEVER = 2**62


class Watch:
    """Notes on the device where a value first was NaN or infinite; the host asks when it stops to look anyway."""

    def __init__(self, device: torch.device) -> None:
        self._first = torch.full((), _NEVER, dtype=torch.int64, device=device)

    def note(self, value: Tensor, at: int) -> None:
        """Look at a scalar; `at` numbers the place where it comes from."""
        self._first = torch.where(value.detach().isfinite(), self._first, self._first.clamp(max=at))

    @property
    def first(self) -> Tensor:
        """[] the lowest number that was noted, on the device; `happened` tells whether there is one."""
        return self._first

    @staticmethod
    def happened(first: int) -> bool:
        """Whether a number read from `first` stands for something that was not finite."""
        return first < _NEVER
