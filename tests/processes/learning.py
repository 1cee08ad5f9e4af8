"""A process in training, for as long as a melody takes that is always the same."""

import torch

from diffmidi.api.process import Batch, Process


def left_of_bound(process: Process, batch: Batch) -> float:
    """The bound on a batch that it was trained on, as a share of what it was before."""

    def bits() -> float:
        with torch.no_grad():
            return float(process.bound(batch, torch.Generator().manual_seed(0), levels=4).bits.mean())

    optimiser, source = torch.optim.Adam(process.parameters(), lr=1e-2), torch.Generator().manual_seed(0)
    before = bits()
    for _ in range(60):
        optimiser.zero_grad()
        process(batch, source)["loss"].backward()
        optimiser.step()
    return bits() / before
