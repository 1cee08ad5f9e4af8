"""An exported model's backbone in the library that it comes from: only its config is written, the weights are ours.

transformers reads the tensors of the backbone out of our one file of weights, by a mapping of their names, which stands
on the card: none is stored twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffmidi_core.contracts.process import Process

FOLDER = "backbone"
FILE = f"{FOLDER}/config.json"
"""What transformers calls the config of a model, in a folder of its own, as config.json is our manifest."""


@dataclass(frozen=True)
class Elsewhere:
    """How transformers opens a backbone.

    Attributes:
        name: of its class.
        prefix: what the names of its tensors begin with in our weights.
        width: H, of the features that it takes.
    """

    name: str
    prefix: str
    width: int


def write_backbone(folder: Path, process: Process) -> Elsewhere | None:
    """Write the config of the backbone as transformers reads it into FOLDER; None, and nothing, where it is no such."""
    model = process.backbone.as_transformers()
    if model is None:
        return None
    prefix = next(f"{name}." for name, module in process.named_modules() if module is model)
    model.config.save_pretrained(folder / FOLDER)
    return Elsewhere(type(model).__name__, prefix, process.backbone.width)
