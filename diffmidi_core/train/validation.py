"""Validation: the bound on held-out and on training music while training goes on, with averaged weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch

from diffmidi_core.contracts.process import Process
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.data.known_labels import KnownLabel
from diffmidi_core.judge.likelihood import bits_per_token, levels_for, window_bits
from diffmidi_core.machine.build import build_process
from diffmidi_core.machine.session import Session
from diffmidi_core.machine.sharding import whole
from diffmidi_core.train.optimiser import Ema

WINDOWS, LEVELS = 64, 2
"""How much of the held-out and of the training music a validation pass takes, with more levels where there are fewer
windows; `evaluate` measures properly."""
Bound = tuple[float, float | None]
"""Bits per token, and their standard error where there is more than one window."""


def bounds(session: Session, process: Process, dataset: TokenDataset, some: Sequence[Sequence[Window]]) -> list[Bound]:
    """The bound on each of some lists of windows, all at as many noise levels."""
    levels = levels_for(LEVELS, len(some[0]), enough=WINDOWS)
    return [
        bits_per_token(window_bits(session, process, dataset, windows, levels=levels, report=False)) for windows in some
    ]


@contextmanager
def averaged(session: Session, process: Process, ema: Ema, labels: Sequence[KnownLabel] = ()) -> Iterator[Process]:
    """A process in training with averaged weights, in evaluation mode, whole on each process of several.

    Not compiled: the batches here have shapes of their own, and compiling for them would take longer than they do.
    """
    eagerly = torch.compiler.set_stance("force_eager") if session.config.train.compile else nullcontext()
    with eagerly:
        if not session.accelerator.is_fsdp2:
            with ema.applied(process):
                yield process
            return
        # A sharded one would have all processes in step, and each validates on windows of its own.
        copy = build_process(session.config, session.tokenizer, labels=labels).to(session.accelerator.device)
        weights = process.state_dict() | ema.average
        copy.load_state_dict({name: whole(tensor) for name, tensor in weights.items()})
        yield copy.eval()
