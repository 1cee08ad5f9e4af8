"""Processes whose mathematics is wrong, each in one way; every one of them runs, trains and draws."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from diffmidi.api.process import EVERYWHERE, Bound, Corruption
from diffmidi_core.registry import find
from diffmidi_uniform_noise.process import Uniform

Masked = find("process", "masked").implementation()
Gaussian = find("process", "gaussian").implementation()
Autoregressive = find("process", "autoregressive").implementation()


class Scaled:
    """Its bound is a share of what it should be."""

    share = 1.0

    def bound(self, batch, generator, *, levels=None):
        found = super().bound(batch, generator, levels=levels)
        return Bound({name: self.share * bits for name, bits in found.terms.items()}, found.tokens)


class Halved(Scaled, Masked):
    share = 0.5


class HalvedGaussian(Scaled, Gaussian):
    share = 0.5


class HalvedLeftToRight(Scaled, Autoregressive):
    share = 0.5


class Thousandth(Scaled, Masked):
    share = 1e-3


class InNats(Scaled, Uniform):
    share = math.log(2)


class NotScaledByLevels(Uniform):
    """The mean over levels where a sum should be."""

    def bound(self, batch, generator, *, levels=None):
        found = super().bound(batch, generator, levels=levels)
        drawn = self.options.steps if levels is None else min(levels, self.options.steps)
        terms = {**found.terms, "diffusion": found.terms["diffusion"] * drawn / self.options.steps}
        return Bound(terms, found.tokens)


class FewAreNotScaled(Masked):
    """All levels are summed as they should be; a few of them as if they were all."""

    def bound(self, batch, generator, *, levels=None):
        found = super().bound(batch, generator, levels=levels)
        share = 1.0 if levels is None else min(1.0, levels / int(batch.tokens.max()))
        return Bound({"diffusion": found.terms["diffusion"] * share}, found.tokens)


class OfTheMixedLevels(Corruption):
    """A posterior that takes the two levels for each other's."""

    def posterior(self, z, m, before, p):
        return super().posterior(z, m, before * 0.5, p)


class OfTheTokensAlone(Corruption):
    """A posterior that forgets z, as if noise told nothing."""

    def posterior(self, z, m, before, p):
        s = before[:, None, None]
        return (1 - s) * p + s * self._pi(z.shape[1])


class WrongLevels(Uniform):
    def __init__(self, *args, **parts):
        super().__init__(*args, **parts)
        self.corruption = OfTheMixedLevels(self.corruption.noise)


class ForgetsNoise(Uniform):
    def __init__(self, *args, **parts):
        super().__init__(*args, **parts)
        self.corruption = OfTheTokensAlone(self.corruption.noise)


class NoPrior(Uniform):
    """Its noisiest level is far from noise, and what that costs is left out."""

    def __init__(self, *args, **parts):
        super().__init__(*args, **parts)
        self.levels = self.levels * 0.5

    def _prior(self, batch):
        return torch.zeros(batch.ids.shape)


class SwappedPosterior(Gaussian):
    """The two coefficients of the mean change places."""

    def __init__(self, *args, **parts):
        super().__init__(*args, **parts)
        one, two = self.levels.posterior_x0, self.levels.posterior_x_t
        self.levels = replace(self.levels, posterior_x0=two, posterior_x_t=one)


class PriorOfTheFirst(Gaussian):
    """The prior in nats."""

    def bound(self, batch, generator, *, levels=None):
        found = super().bound(batch, generator, levels=levels)
        return Bound({**found.terms, "prior": found.terms["prior"] * math.log(2)}, found.tokens)


class OtherEvidence(Gaussian):
    def evidence(self, x_t, t):
        return super().evidence(x_t, t) * 0.5


class SeesTheTokens(Masked):
    """The network is given the clean tokens."""

    def _nats(self, ids, hidden, m, places):
        from diffmidi_core.diffusion.revealing import nats_of

        return nats_of(self.log_probabilities(self.denoise(ids, m, places).float()), ids, hidden)


class SeesTheNext(Autoregressive):
    """Nothing is moved on by one: each token is predicted from itself."""

    def predict(self, ids, places=EVERYWHERE):
        found = super().predict(ids, places)
        return found + self.peek * torch.nn.functional.one_hot(ids, found.shape[-1])

    def __init__(self, *args, **parts):
        super().__init__(*args, **parts)
        self.peek = torch.nn.Parameter(torch.ones(()))


class SeesAllThatFollows(Autoregressive):
    """The last token is told to all the others."""

    def predict(self, ids, places=EVERYWHERE):
        found = super().predict(ids, places)
        return found + self.peek * torch.nn.functional.one_hot(ids[:, -2:-1], found.shape[-1])

    def __init__(self, *args, **parts):
        super().__init__(*args, **parts)
        self.peek = torch.nn.Parameter(torch.ones(()))


class Negated:
    def loss(self, batch, generator):
        return {name: -value for name, value in super().loss(batch, generator).items()}


class NegatedLoss(Negated, Masked):
    pass


class NegatedGaussian(Negated, Gaussian):
    pass


class TeachesNothing(Masked):
    """The loss goes down, and nothing of the music is in it."""

    def loss(self, batch, generator):
        found = super().loss(batch, generator)["loss"]
        small = sum(each.pow(2).mean() for each in self.parameters())
        return {"loss": small + 0 * found}


class TeachesOthers(Uniform):
    """Learns the texts of the rows beside."""

    def objective(self, batch, z, t):
        return super().objective(replace(batch, ids=batch.ids[:, torch.randperm(batch.ids.shape[1])]), z, t)


class WrongOracle(Masked):
    """Knows the tokens of the place before."""

    def oracle(self, ids):
        return super().oracle(ids.roll(1, 1))


class UnsureOracle(Masked):
    def oracle(self, ids):
        sure = super().oracle(ids)
        return lambda z, m, places=EVERYWHERE: sure(z, m, places).clamp(min=-1)


class OtherOracle(Gaussian):
    def oracle(self, ids):
        return super().oracle(ids.flip(0))


class DrawsLess(Corruption):
    """Draws less noise than its probabilities say."""

    def draw(self, ids, m, uniform):
        return super().draw(ids, 0.8 * m, uniform)


class LessNoise(Masked):
    def __init__(self, *args, **parts):
        super().__init__(*args, **parts)
        self.corruption = DrawsLess(self.corruption.noise)
