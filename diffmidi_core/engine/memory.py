"""How much memory this process has taken at most."""

from __future__ import annotations

import sys

import torch


def peak_memory_mb(device: torch.device) -> float | None:
    """MiB: of GPU memory that torch held on a CUDA device, else of the whole process; None where no system tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, the others KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
