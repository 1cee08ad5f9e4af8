"""Agreement: several processes leave the loop at the same step."""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed

from diffmidi_core.machine.ranks import world_size


class Agreement:
    """Whether any process was asked to stop, so that all leave the loop at the same step.

    What each was asked goes round in the background, through a group of its own on the CPU, while the step is
    computed, and is read at the next call: no step waits for it, and no device. With several processes the answer is
    one call old.
    """

    def __init__(self) -> None:
        self._group: Any = None
        self._pending: tuple[torch.Tensor, Any] | None = None
        if world_size() > 1:
            self._group = distributed.new_group(backend="gloo")

    def any(self, asked: bool) -> bool:
        """Whether any process was asked before its last call; with one process, whether it was `asked` now."""
        if self._group is None:
            return asked
        before, self._pending = self._pending, self._send(asked)
        return self._received(before)

    def any_now(self, asked: bool) -> bool:
        """Whether any process is `asked` now: all wait for each other."""
        if self._group is None:
            return asked
        before, self._pending = self._pending, None
        earlier = self._received(before)
        return self._received(self._send(asked)) or earlier

    def _send(self, asked: bool) -> tuple[torch.Tensor, Any]:
        flag = torch.tensor([int(asked)])
        work = distributed.all_reduce(flag, op=distributed.ReduceOp.MAX, group=self._group, async_op=True)
        return flag, work

    @staticmethod
    def _received(sent: tuple[torch.Tensor, Any] | None) -> bool:
        if sent is None:
            return False
        flag, work = sent
        work.wait()
        return bool(flag)
