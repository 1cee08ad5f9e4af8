"""The bound on windows of music, shared out over ranks and gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.contracts.metric import Sample, TrainingMusic, WindowBits
from diffmidi_core.contracts.process import Process
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.run.memory import Halves
from diffmidi_core.run.ranks import gathered
from diffmidi_core.run.seeds import generator_for
from diffmidi_core.run.session import Session

Terms = Mapping[str, NDArray[np.float64]]


def window_bits(
    session: Session,
    process: Process,
    dataset: TokenDataset,
    windows: Sequence[Window],
    *,
    levels: int | None,
    report: bool = True,
    training: TrainingMusic | None = None,
) -> list[WindowBits]:
    """Bits of each window under the process, in the order of the windows, on every rank.

    The windows are cut into the same batches, with the same noise, whatever the number of ranks; each rank takes its
    share of them.
    """
    accelerator, size = session.accelerator, session.config.evaluate.batch_size
    batches = [windows[begin : begin + size] for begin in range(0, len(windows), size)]
    mine: list[tuple[int, list[Terms]]] = []
    halves = Halves("window", session.hooks.warn)
    process.eval()
    for index in range(accelerator.process_index, len(batches), accelerator.num_processes):
        if report:
            session.hooks.emit("progress", what="held-out windows", done=index * size, total=len(windows))

        def terms(begin: int, end: int, path: tuple[int, ...], index: int = index) -> list[Terms]:
            return _terms(session, process, dataset, batches[index][begin:end], (index, *path), levels)

        mine.append((index, halves(len(batches[index]), terms)))
    if report:
        session.hooks.emit("progress", what="held-out windows", done=len(windows), total=len(windows))
    music = samples_of(session, dataset, windows, training)
    return [WindowBits(terms, window) for terms, window in zip(gathered(mine), music, strict=True)]


def _terms(
    session: Session,
    process: Process,
    dataset: TokenDataset,
    windows: Sequence[Window],
    where: tuple[int, ...],
    levels: int | None,
) -> list[Terms]:
    """Bits of each position of each window, by term; `where` decides the noise."""
    accelerator = session.accelerator
    generator = generator_for(session.config.seed, "bound", *where, device=accelerator.device)
    with torch.no_grad(), session.autocast():
        bound = process.bound(dataset.batch(windows).to(accelerator.device), generator, levels=levels)
    terms: dict[str, NDArray[np.float64]] = {name: bits.double().cpu().numpy() for name, bits in bound.terms.items()}
    lengths = [window.end - window.start + 2 for window in windows]
    return [{name: bits[row, :length] for name, bits in terms.items()} for row, length in enumerate(lengths)]


def samples_of(
    session: Session, dataset: TokenDataset, windows: Sequence[Window], training: TrainingMusic | None = None
) -> list[Sample]:
    """Windows as music, decoded as generated words are."""
    tokenizer = session.tokenizer
    words = [dataset.words(window) for window in windows]
    return [Sample(ids, tokenizer.decode(ids), tokenizer, training) for ids in words]


def bits_per_word(rows: Sequence[WindowBits]) -> float:
    """The bound over all windows, in bits per word of music."""
    return sum(row.bits for row in rows) / max(1, sum(row.words for row in rows))
