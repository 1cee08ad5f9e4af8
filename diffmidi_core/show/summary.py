"""A model in a few lines: what it is, what it writes, what it can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffmidi_core.music.reading import printable
from diffmidi_core.numbers import count_text, counted

if TYPE_CHECKING:
    import torch

    from diffmidi_core.draw.model import Model


def summary(model: Model, device: torch.device) -> tuple[str, dict[str, str]]:
    """A title, and what is known by name."""
    asked, size = model.defaults, sum(each.numel() for each in model.process.parameters())
    windows = counted(model.bars, "bar") if model.tokenizer.plan else counted(model.length, "token")
    length = windows if asked.length == "windows" else asked.length
    known = {
        "from": f"{printable(model.path)}, iteration {count_text(model.step)}",
        "model": f"{model.parts['process'].label} on {model.parts['backbone'].label}, {count_text(size)} parameters, "
        f"on {device}",
        "music": f"tokens of {model.parts['tokenizer'].label}; it sees {windows} at once",
        "draws": f"pieces of {length} by {asked.sampler.label}, {counted(asked.steps, 'step')} each",
    }
    if labels := [label.name for label in model.manifest.labels]:
        known["labels"] = f"can be asked for {', '.join(map(printable, labels))}: sample(want={{...}})"
    return 'A trained model: sample(4) draws with it, infill("x.mid", bars="5-8") draws into a file', known
