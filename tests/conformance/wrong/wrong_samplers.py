"""Samplers that are wrong in one way each; every one of them fills a canvas with legal tokens, or nearly."""

from __future__ import annotations

import torch

from diffmidi.api.sampler import Canvas, RowDraws, Sampled, Sampler
from diffmidi_core.registry import find
from diffmidi_uniform_noise.sampler import UniformAncestral


class Like(Sampler):
    """One of ours, with what it is given or gives changed."""

    name = "ancestral"
    chosen: dict = {}  # noqa: RUF012

    @property
    def honest(self):
        offer = find("sampler", self.name)
        return offer.build(self.chosen)

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        return self.honest.draw(process, canvas, steps, draws, denoise, on_step)


def like(name):
    return {"name": name, "serves": find("sampler", name).implementation().serves}


class TakesArgmax(Like):
    """The likeliest token, always: as cold as can be."""

    locals().update(like("ancestral"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        own = denoise or process.denoise
        sure = lambda z, m, places: 1e4 * own(z, m, places)  # noqa: E731
        return super().draw(process, canvas, steps, draws, sure, on_step)


class TakesArgmaxFromLeft(Like):
    locals().update(like("autoregressive"))
    chosen = {"top_k": 1}  # noqa: RUF012


class TooCold(Like):
    locals().update(like("ancestral"))
    chosen = {"temperature": 0.5}  # noqa: RUF012


class Flat(Like):
    """The denoiser is asked, and its answer forgotten."""

    locals().update(like("remask"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        own = denoise or process.denoise
        flat = lambda z, m, places: own(z, m, places).clamp(min=-1e-3, max=1e-3)  # noqa: E731
        return super().draw(process, canvas, steps, draws, flat, on_step)


class IgnoresSteps(Like):
    """Always takes ten."""

    locals().update(like("ancestral"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        found = super().draw(process, canvas, 10, draws, denoise, lambda done, of: None)
        for done in range(steps):
            on_step(done + 1, steps)
        return found


class OneStep(IgnoresSteps):
    """Always takes one."""

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        found = Like.draw(self, process, canvas, 1, draws, denoise, lambda done, of: None)
        for done in range(steps):
            on_step(done + 1, steps)
        return found


class AsksTwice(Like):
    locals().update(like("ddim"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        own = denoise or process.denoise

        def twice(x, t, places, **more):
            own(x, t, places, **more)
            return own(x, t, places, **more)

        return super().draw(process, canvas, steps, draws, twice, on_step)


class WrongPosterior(UniformAncestral):
    """Takes the level that it goes to for half of it."""

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        honest = process.corruption.posterior
        process.corruption.posterior = lambda z, m, before, p: honest(z, m, before * 0.3, p)
        try:
            return super().draw(process, canvas, steps, draws, denoise, on_step)
        finally:
            del process.corruption.posterior


class ForgetsTheNoise(WrongPosterior):
    """Goes on from the guess alone, whatever stands now."""

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        process.corruption.posterior = lambda z, m, before, p: p
        try:
            return UniformAncestral.draw(self, process, canvas, steps, draws, denoise, on_step)
        finally:
            del process.corruption.posterior


class SwappedMean(Like):
    """A Gaussian posterior with its coefficients swapped."""

    locals().update(like("ddpm"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        from diffmidi_samplers.linear import Ddpm

        class Swapped(Ddpm):
            def descend(self, levels, x, estimate, draws):
                for t in reversed(range(len(levels))):
                    x0_hat = estimate(x, t)
                    one, two = float(levels.posterior_x0[t]), float(levels.posterior_x_t[t])
                    x = (two * x0_hat + one * x if t else x0_hat) + float(levels.posterior_variance[t]) ** 0.5 * (
                        draws.normal(x)
                    )
                return x

        return Swapped(self.honest.options).draw(process, canvas, steps, draws, denoise, on_step)


class ByPlaceInTheBatch(Like):
    """Numbers for the whole batch from the first row's stream."""

    locals().update(like("ancestral"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        seed = int(draws.uniform(canvas.ids)[0, 0] * 1e6)
        streams = [torch.Generator().manual_seed(seed + row) for row in range(len(canvas.ids))]
        return super().draw(process, canvas, steps, RowDraws(streams), denoise, on_step)


class MixesWhenThereAreMore(Like):
    """The number of rows is in every guess."""

    locals().update(like("ancestral"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        own = denoise or process.denoise
        bias = torch.linspace(0, 6, len(process.tokenizer.vocab)) * (len(canvas.ids) > 2)
        return super().draw(process, canvas, steps, draws, lambda z, m, places: own(z, m, places) - bias, on_step)


class ForgetsLabels(Like):
    locals().update(like("ancestral"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        plain = Canvas(canvas.ids, canvas.allowed, canvas.attention_mask, canvas.sets, canvas.types)
        return super().draw(process, plain, steps, draws, denoise, on_step)


class ForgetsSets(Like):
    locals().update(like("confidence"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        plain = Canvas.of(canvas.ids, canvas.fixed, canvas.attention_mask)
        return super().draw(process, plain, steps, draws, denoise, on_step)


class FillsHolesAnew(Like):
    """Draws a whole text, and takes no notice of what stands."""

    locals().update(like("ancestral"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        ends = canvas.ids < 3
        whole = Canvas.of(canvas.ids.masked_fill(~ends, 3), ends, canvas.attention_mask)
        return super().draw(process, whole, steps, draws, denoise, on_step)


class Illegal(Like):
    """Draws each token by itself, of all there are."""

    locals().update(like("ancestral"))

    def draw(self, process, canvas, steps, draws, denoise, on_step):
        for done in range(steps):
            (denoise or process.denoise)(canvas.ids, torch.ones(len(canvas.ids)), canvas.places())
            on_step(done + 1, steps)
        logits = torch.zeros(*canvas.ids.shape, len(process.tokenizer.vocab))
        logits[..., :4] = -torch.inf
        return Sampled(torch.where(canvas.fixed, canvas.ids, draws.categorical(logits)))
