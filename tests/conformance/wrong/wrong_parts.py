"""Parts that each break one promise."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import nn

from diffmidi.api import RefusedError, hookimpl
from diffmidi.api.backbone import Backbone
from diffmidi.api.control import ANY, Control, notes_of
from diffmidi.api.metric import Figure, Metric
from diffmidi.api.renderer import Renderer
from diffmidi.api.sampler import Canvas, Sampled, Sampler
from diffmidi.api.schedule import NoiseSchedule
from diffmidi.api.source import Piece, Source
from diffmidi.api.tokenizer import SPECIALS
from diffmidi_core.music.toy import tune
from diffmidi_core.registry import find


class Falling(NoiseSchedule):
    """Keeps every promise; what is wrong is declared."""

    def alpha_bar(self, t):
        return (1 - t) ** 2


class Rising(Falling):
    def alpha_bar(self, t):
        return (1 - t) * (1 - 0.9 * (18.85 * t).sin() ** 2)


class TooClean(Falling):
    def alpha_bar(self, t):
        return 1 - 0.5 * t


class Float32(Falling):
    def alpha_bar(self, t):
        return super().alpha_bar(t).float()

    def betas(self, steps):
        return Falling(self.options).betas(steps)


class SeedsTheWorld(Falling):
    def alpha_bar(self, t):
        torch.manual_seed(3)
        return super().alpha_bar(t)


class Abstract(NoiseSchedule):
    pass


class Peeks(Backbone):
    """Sees the mean of all positions, padding among them."""

    def __init__(self, options, *, length):
        super().__init__(options, length=length)
        self.width = 16
        self.linear = nn.Linear(16, 16)

    def forward(self, hidden, mask=None, positions=None):
        return self.linear(hidden) + hidden.mean(1, keepdim=True)


class Idle(Backbone):
    """A parameter that nothing depends on; otherwise each position by itself."""

    def __init__(self, options, *, length):
        super().__init__(options, length=length)
        self.width = 16
        self.linear, self.unused = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, hidden, mask=None, positions=None):
        return self.linear(hidden)


class Counts(Backbone):
    """Counts positions itself, whatever it is told of them; and its cached forward forgets what was before."""

    caches = True

    def __init__(self, options, *, length):
        super().__init__(options, length=length)
        self.width = 16
        self.own, self.others = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, hidden, mask=None, positions=None):
        where = torch.arange(hidden.shape[1]).sin()[:, None]
        seen = hidden.new_ones(hidden.shape[:2]) if mask is None else mask.to(hidden.dtype)
        seen = seen if seen.dim() == 3 else seen[:, None].expand(-1, hidden.shape[1], -1)
        mean = seen @ (self.others(hidden) + where) / seen.sum(-1, keepdim=True).clamp(min=1)
        return self.own(hidden + where) + mean

    def cached(self, hidden, past, mask=None, positions=None):
        return self(hidden), (hidden,)


Gaussian = find("process", "gaussian").implementation()


class LearnsPadding(Gaussian):
    def loss(self, batch, generator):
        found = super().loss(batch, generator)
        return {**found, "loss": found["loss"] + batch.mean(self.embed(batch.ids).pow(2).mean((1, 2)), "rows")}


class GlobalNoise(Gaussian):
    def loss(self, batch, generator):
        torch.rand(())
        return super().loss(batch, generator)


class OwnStep(Gaussian):
    """Draws and averages as if a part of a step were all of it."""

    def loss(self, batch, generator):
        return super().loss(dataclasses.replace(batch, share=None), generator)


Ddpm = find("sampler", "ddpm").implementation()


class Overwrites(Sampler):
    """Forgets what was fixed."""

    serves = Ddpm.serves

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        found = _ddpm().draw(process, canvas, steps, draws, denoise, on_step)
        return Sampled(found.ids.where(~canvas.fixed, len(SPECIALS)))


class ChoosesFreely(Sampler):
    """Never looks at what is allowed."""

    serves = Ddpm.serves

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        blank = Canvas.of(canvas.ids, canvas.fixed, canvas.attention_mask)
        return _ddpm().draw(process, blank, steps, draws, denoise, on_step)


class MixesRows(Sampler):
    """Rolls the dice of the row before."""

    serves = Ddpm.serves

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        noise = draws.normal(canvas.ids[..., None].float())
        denoise = denoise or process.denoise
        shifted = lambda x, t, places: denoise(x + noise.roll(1, 0), t, places)  # noqa: E731
        return _ddpm().draw(process, canvas, steps, draws, shifted, on_step)


def _ddpm():
    return Ddpm(find("sampler", "ddpm").options({}))


class LastRow(Metric):
    subject = "likelihood"

    def measure(self, item):
        return {"words": item.tokens}

    def summarise(self, rows, reference=()):
        return Figure(float(rows[-1]["words"]), "tokens", len(rows), "windows")


class CountsTokens(Metric):
    """Does not tell that it needs them."""

    subject = "samples"

    def measure(self, item):
        return {"tokens": len(item.ids)}

    def summarise(self, rows, reference=()):
        return Figure(sum(row["tokens"] for row in rows) / len(rows), "tokens", len(rows), "samples") if rows else None


class Twins(Source):
    def pieces(self):
        if self.data:
            raise RefusedError("data", "it takes no --data.")
        yield from (Piece("one"), Piece("one"))

    def read(self, piece):
        if piece.id != "one":
            raise RefusedError("missing", f"there is no piece {piece.id}.")
        return tune()


class InPlace(Renderer):
    suffix = ".txt"

    def render(self, score, path: Path, *, title=""):
        path.write_text("notes")


class Raises:
    def __init__(self, options):
        pass

    @hookimpl
    def checkpoint_saved(self, step, path):
        raise RuntimeError("no")


class Deaf:
    def __init__(self, options):
        pass

    def run_started(self, folder):
        pass


class Widens(Control):
    """Allows everything that is not fixed, whatever the canvas said."""

    def prepare(self, canvas, tokenizer):
        return dataclasses.replace(canvas, allowed=canvas.allowed.where(canvas.fixed, torch.tensor(ANY)))


class Relative(Control):
    """Says how many more notes a piece has than the one with the fewest."""

    def score(self, pieces):
        counts = [len(notes_of(piece)) for piece in pieces]
        return [float(count - min(counts)) for count in counts]


class IdleRule(Control):
    """Does nothing."""


class FirstRow(Control):
    """Answers every row with what is said of the first."""

    def wrap(self, denoise, process):
        def first(*seen, **more):
            said = denoise(*seen, **more)
            return said[:1].expand_as(said).clone()

        return first
