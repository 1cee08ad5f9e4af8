"""One optimiser step: forward passes as large as memory holds, the mean of their gradients, one update."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diffmidi_core.config import RunConfig
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.machine.memory import free, out_of_memory, out_of_room
from diffmidi_core.machine.seeds import generator_for, seed_for
from diffmidi_core.machine.sharding import is_shared_out, whole
from diffmidi_core.train.optimiser import learning_rate
from diffmidi_core.train.watch import Watch

if TYPE_CHECKING:
    from accelerate import Accelerator


POSITIONS_ON_CPU = 4096
"""In a pass on a CPU, which is no quicker with more of them, and holds in memory what all of them leave behind."""


class Stepper:
    """Takes optimiser steps of a prepared model.

    Where memory runs out, the passes are halved and there are twice as many; the step stays the same. One process
    finds out when it happens. Several must agree, as each waits for the gradients of all: they try a pass before the
    first step, and one that runs out later ends the run. A sharded model cannot be tried by one process alone, and
    DeepSpeed cannot take a pass back, so that there running out always ends the run.

    Args:
        warn: told the new size of a pass whenever it is halved, and how many passes a step takes.
    """

    def __init__(
        self, accelerator: Accelerator, model: Any, optimiser: Any, config: RunConfig, warn: Callable[[int, int], None]
    ) -> None:
        self.accelerator, self.model, self.optimiser, self.config = accelerator, model, optimiser, config
        self.watch = Watch(accelerator.device)
        self._warn = warn
        self._alone = accelerator.num_processes == 1 and not is_shared_out(accelerator)
        self.rows_a_pass = config.train.batch_size
        if self._alone and accelerator.device.type == "cpu":
            passes = -(-config.train.batch_size // max(1, POSITIONS_ON_CPU // config.length))
            self.rows_a_pass = -(-config.train.batch_size // passes)
        self._tried = self._alone or is_shared_out(accelerator)

    def take(self, step: int, batch: Batch, *, before: int = 0) -> dict[str, Tensor]:
        """The update that follows `step` updates, on this process's share of the step; what is to be logged of it.

        Its noise goes on from the `before` updates of the runs that this one began from. Nothing of it waits for the
        device.
        """
        config, accelerator = self.config.train, self.accelerator
        batch = batch.to(accelerator.device)
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, config, before=before)
        total = before + step
        losses = self._passes(total, batch)  # DeepSpeed takes the step with the last of them, and does nothing below
        if config.clip:
            gathered_norm = accelerator.clip_grad_norm_(self.model.parameters(), config.clip)
            norm = losses["gradient_norm"] = torch.as_tensor(whole(gathered_norm), device=accelerator.device)
            if accelerator.scaler is None:  # which skips an update whose gradient overflowed
                self.watch.note(norm, _number(total, batch))
        self.optimiser.step()
        self.optimiser.zero_grad()
        return losses

    def blamed(self, first: int, rows: int) -> tuple[int, int | None]:
        """Which step, of all runs, a number of the watch stands for, and the first row of the pass whose loss it was.

        None: the gradient of the whole step. `rows` is how many the step has over all processes.
        """
        step, row = divmod(first, rows + 1)
        return step, None if row == rows else row

    def _passes(self, step: int, batch: Batch) -> dict[str, Tensor]:
        while not self._tried:
            ran_out = self._ran_out(step, batch)
            flag = torch.tensor(float(ran_out), device=self.accelerator.device)
            self._tried = self.accelerator.reduce(flag, "sum").item() == 0
            if not self._tried:
                self._halve()
        while True:
            try:
                return self._gradients(step, batch)
            except (RuntimeError, MemoryError) as error:
                if not (self._alone and out_of_memory(error)):
                    raise
            self._halve()

    def _gradients(self, step: int, batch: Batch) -> dict[str, Tensor]:
        """Forward and backward over all passes; the means of what they returned."""
        accelerator, losses = self.accelerator, dict[str, Tensor]()
        # Dropout draws from the global generators; seeding them here makes step k the same in a resumed run.
        torch.manual_seed(seed_for(self.config.seed, "dropout", step, accelerator.process_index))
        parts = batch.cut(self._sizes(batch))
        for number, part in enumerate(parts, start=1):
            with nullcontext() if number == len(parts) else self._more_to_come():
                losses_of_pass = self._forward(step, part)
                accelerator.backward(losses_of_pass["loss"] / len(parts))
            self.watch.note(losses_of_pass["loss"], _number(step, batch, part))
            for name, value in losses_of_pass.items():
                losses[name] = losses.get(name, 0) + value.detach() / len(parts)
        return losses

    @contextmanager
    def _more_to_come(self) -> Iterator[None]:
        """Around a pass that is not the last of its step."""
        self.accelerator.sync_gradients = False  # what DeepSpeed goes by
        try:
            with self.accelerator.no_sync(self.model):
                yield
        finally:
            self.accelerator.sync_gradients = True

    def _forward(self, step: int, part: Batch) -> dict[str, Tensor]:
        noise = generator_for(self.config.seed, "noise", step, device=self.accelerator.device)
        with self.accelerator.autocast():
            losses: dict[str, Tensor] = self.model(part, noise)
        return losses

    def _ran_out(self, step: int, batch: Batch) -> bool:
        """Whether one pass, kept to this process, runs out of memory."""
        part = batch.cut(self._sizes(batch))[0]
        try:
            with self.accelerator.no_sync(self.model):
                self._forward(step, part)["loss"].backward()  # type: ignore[no-untyped-call]
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            return True
        finally:
            self.model.zero_grad()
        return False

    def _sizes(self, batch: Batch) -> list[int]:
        rows, most = len(batch.ids), self.rows_a_pass
        return [min(most, rows - first) for first in range(0, rows, most)]

    def _halve(self) -> None:
        self.optimiser.zero_grad()
        free()
        if self.rows_a_pass == 1:
            raise out_of_room("window")
        self.rows_a_pass = (self.rows_a_pass + 1) // 2
        rows = self.config.train.batch_size * self.config.train.accumulate
        self._warn(self.rows_a_pass, -(-rows // self.rows_a_pass))


def _number(step: int, batch: Batch, part: Batch | None = None) -> int:
    """What the watch notes: a step and the first row of a part of it, or the step's gradient."""
    rows = len(batch.ids) if batch.share is None else batch.share.rows
    first = rows if part is None or part.share is None else part.share.first
    return step * (rows + 1) + first
