"""The bound on windows of music, shared out over ranks and gathered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.contracts.metric import TrainingMusic, WindowBits
from diffmidi_core.contracts.process import Process
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.judge.music import samples_of
from diffmidi_core.machine.memory import Halves
from diffmidi_core.machine.ranks import gathered
from diffmidi_core.machine.seeds import generator_for
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.sections import EvaluateConfig

SEED = 0
"""Of the noise that the bound is estimated with. It is no run's own: models are compared under the same noise.

Only the levels that it is put on differ where embeddings do, of Gaussian models (`diffusion.drawn_levels`).
"""

ENOUGH = EvaluateConfig().windows
"""Windows that the levels asked for are meant for: fewer get more levels, so that their noise is no larger.

Both are in the variance of the bound, (windows' own + noise of the levels / levels) / windows, and the network is
evaluated windows · levels times. So many windows at few levels give the narrowest interval for the work: of a default
run 128 windows at 4 levels give the one of 64 at 32, for a quarter of it (benchmarks/intervals.py).
"""

Terms = Mapping[str, NDArray[np.float64]]
Charged = tuple[Terms, NDArray[np.float64] | None]
"""Bits of a window: by term and position, and by level of noise."""


def window_bits(
    work: Surroundings,
    process: Process,
    dataset: TokenDataset,
    windows: Sequence[Window],
    *,
    levels: int | None,
    batch_size: int = EvaluateConfig().batch_size,
    report: bool = True,
    training: TrainingMusic | None = None,
    order: Sequence[str] | None = None,
) -> list[WindowBits]:
    """Bits of each window under the process, in the order of the windows, on every rank.

    They are those of the bound at so many `levels`; where an `order` of types is given (`Process.likelihood`), exact.

    The windows are cut into the same batches, with the same noise, whatever the number of ranks and the seed of the
    training; each rank takes its share of them.
    """
    accelerator = work.accelerator
    batches = [windows[begin : begin + batch_size] for begin in range(0, len(windows), batch_size)]
    mine: list[tuple[int, list[Charged]]] = []
    halves = Halves("window", work.hooks.warn)
    process.eval()

    def tell(done: int) -> None:
        if report:
            work.hooks.emit("progress", what="windows", done=done, total=len(windows))

    for index in range(accelerator.process_index, len(batches), accelerator.num_processes):
        tell(index * batch_size)

        def terms(begin: int, end: int, path: tuple[int, ...], index: int = index) -> list[Charged]:
            longest = max(window.end - window.start for window in batches[index])
            return _terms(work, process, dataset, batches[index][begin:end], longest, (index, *path), levels, order)

        mine.append((index, halves(len(batches[index]), terms)))
    tell(len(windows))
    music = samples_of(dataset, windows, process.tokenizer, training)
    return [
        WindowBits(terms, window, by_level=by_level)
        for (terms, by_level), window in zip(gathered(mine), music, strict=True)
    ]


def _terms(
    work: Surroundings,
    process: Process,
    dataset: TokenDataset,
    windows: Sequence[Window],
    longest: int,
    where: tuple[int, ...],
    levels: int | None,
    order: Sequence[str] | None,
) -> list[Charged]:
    """Bits of each position of each window, by term, and by level; `where` decides the noise."""
    device = work.accelerator.device
    generator = generator_for(SEED, "bound", *where, device=device)
    with torch.no_grad(), work.autocast():
        batch = dataset.batch(windows, longest=longest).to(device)
        exact = order is not None
        bound = process.likelihood(batch, order or ()) if exact else process.bound(batch, generator, levels=levels)
    terms: dict[str, NDArray[np.float64]] = {name: bits.double().cpu().numpy() for name, bits in bound.terms.items()}
    lengths = [window.end - window.start + 2 for window in windows]
    by_level = None if bound.by_level is None else bound.by_level.double().cpu().numpy()
    return [
        ({name: bits[row, :length] for name, bits in terms.items()}, None if by_level is None else by_level[row])
        for row, length in enumerate(lengths)
    ]


def levels_for(levels: int | None, windows: int, *, enough: int = ENOUGH) -> int | None:
    """How many levels are drawn in each of so many windows: with fewer than `enough`, more of them.

    The network is evaluated as often as for `enough` windows, so that the noise of the levels does not grow in the
    figure: of few windows it would be most of what is uncertain, and no interval would show it.
    """
    return levels if levels is None else levels * max(1, -(-enough // max(1, windows)))


def bits_per_token(rows: Sequence[WindowBits]) -> tuple[float, float | None]:
    """The bound over all windows, in bits per token of music, and its standard error: None for fewer than two of them.

    The error is that of a ratio estimator, s over √n (Cochran 1977, Sampling Techniques, eq. 2.39). Both the
    windows' differences and the noise of the levels are in it; two models on the same windows differ by less.
    """
    bits, tokens = np.array([(row.bits, row.tokens) for row in rows], dtype=np.float64).reshape(-1, 2).T
    total, n = max(1.0, float(tokens.sum())), len(rows)
    value = float(bits.sum()) / total
    if n < 2:
        return value, None
    return value, math.sqrt(n / (n - 1) * float(((bits - value * tokens) ** 2).sum())) / total
