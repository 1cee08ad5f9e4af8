"""ddim, dpmpp and heun against the schedulers of diffusers, and against flows whose solution is known exactly."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, HeunDiscreteScheduler

from diffmidi.api.process import GaussianLevels
from diffmidi.api.sampler import ddim_steps, ddpm_steps, dpmpp_steps, heun_corrections
from diffmidi_core.registry import find

F64 = torch.float64


def noise(seed):
    return torch.randn(2, 3, 4, dtype=F64, generator=torch.Generator().manual_seed(seed))


def wavy(x, t):
    """A denoiser with nothing linear about it."""
    return 0.8 * torch.sin(x) + 0.3 * math.cos(3 * t)


def descend(levels, x, denoise, steps):
    """x at σ = 0, by steps that are linear in the estimates."""
    before = None
    for t in reversed(range(len(levels))):
        x0_hat = denoise(x, float(levels.times[t]))
        x = steps[t](x0_hat, x, noise(100 + t) if steps[t].noise else None, before)
        before = x0_hat
    return x


def descend_by_heun(levels, x, denoise):
    euler, corrections = ddim_steps(levels, 0.0), heun_corrections(levels)
    for t in reversed(range(len(levels))):
        x0_hat = denoise(x, float(levels.times[t]))
        x = euler[t](x0_hat, x)
        if t:
            x = x + corrections[t] * (denoise(x, float(levels.times[t - 1])) - x0_hat)
    return x


def chain_of(lam):
    """The levels with λ = ln √(ᾱ/(1−ᾱ)) as given, falling."""
    alpha_bar = torch.sigmoid(2 * lam)
    return GaussianLevels.from_betas(1 - alpha_bar / torch.cat([torch.ones(1, dtype=F64), alpha_bar[:-1]]))


@pytest.fixture(params=[4, 7, 20])
def chain(request):
    """A short chain of uneven steps, which the schedulers are given whole. float32 can tell its ends from 0 and 1."""
    return chain_of(torch.linspace(2.0, -2.2, request.param, dtype=F64) ** 3 / 5)


def scheduler(kind, chain, **options):
    return kind(num_train_timesteps=len(chain), trained_betas=chain.betas.tolist(), prediction_type="sample", **options)


def run(scheduler, chain, x, with_noise=None, **options):
    """x at σ = 0, by a scheduler that is told every level of the chain; `with_noise`, what it calls its noise."""
    for at in scheduler.timesteps:
        t = int(at)
        seen = scheduler.scale_model_input(x, at)
        more = {with_noise: noise(100 + t)} if with_noise else {}
        x = scheduler.step(wavy(seen, float(chain.times[t])), at, x, **more, **options).prev_sample
    return x


def agree(ours, theirs):
    torch.testing.assert_close(ours, theirs.double(), rtol=2e-4, atol=2e-5)  # theirs works in float32


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
def test_ddim_is_that_of_diffusers(chain, eta):
    theirs = scheduler(DDIMScheduler, chain, clip_sample=False)
    theirs.set_timesteps(len(chain))
    found = run(theirs, chain, noise(0), eta=eta, with_noise="variance_noise" if eta else None)
    agree(descend(chain, noise(0), wavy, ddim_steps(chain, eta)), found)


@pytest.mark.parametrize(("eta", "algorithm"), [(0.0, "dpmsolver++"), (1.0, "sde-dpmsolver++")])
def test_dpmpp_is_that_of_diffusers(chain, eta, algorithm):
    theirs = scheduler(DPMSolverMultistepScheduler, chain, algorithm_type=algorithm)
    theirs.set_timesteps(timesteps=list(reversed(range(len(chain)))))
    found = run(theirs, chain, noise(0), with_noise="variance_noise" if eta else None)
    agree(descend(chain, noise(0), wavy, dpmpp_steps(chain, eta)), found)


def test_heun_is_that_of_diffusers(chain):
    theirs = scheduler(HeunDiscreteScheduler, chain)
    theirs.set_timesteps(timesteps=list(reversed(range(len(chain)))))
    first = noise(0) / chain.sqrt_alpha_bar[-1]  # theirs goes down in x / √ᾱ
    agree(descend_by_heun(chain, noise(0), wavy), run(theirs, chain, first))


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_dpmpp_with_estimates_that_stay_is_ddim(eta):
    levels = GaussianLevels.from_betas(find("schedule", "sqrt").build().betas(2000)).respace(9, "logsnr")
    known = noise(3)
    ours = descend(levels, noise(0), lambda x, t: known, dpmpp_steps(levels, eta))
    theirs = descend(levels, noise(0), lambda x, t: known, ddim_steps(levels, eta))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(ours, known)


def test_one_step_is_the_estimate_itself():
    levels = GaussianLevels.from_betas(find("schedule", "sqrt").build().betas(50)).respace(1)
    for steps in (ddpm_steps(levels), ddim_steps(levels, 0.0), dpmpp_steps(levels, 1.0)):
        assert descend(levels, noise(0), lambda x, t: noise(5), steps).equal(noise(5))
    assert descend_by_heun(levels, noise(0), lambda x, t: noise(5)).equal(noise(5))


class Mixture:
    """Words at −1, 0.4 and 1.5 with spreads and odds of their own: its flow keeps quantiles, so the exact end is known.

    In one dimension the probability-flow ODE is monotone and carries the density of one level to that of another: a
    point stays at its quantile. (One component: the linear flow of a normal distribution.)
    """

    def __init__(self, levels, components=((-1.0, 0.3, 0.5), (0.4, 0.2, 0.2), (1.5, 0.4, 0.3))):
        self.levels = levels
        self.mean, self.std, self.odds = torch.tensor(components, dtype=F64).T
        self.index = {float(time): t for t, time in enumerate(levels.times)}

    def _at(self, t):
        signal = self.levels.alpha_bar[t]
        return signal.sqrt() * self.mean, (signal * self.std**2 + 1 - signal).sqrt()

    def denoise(self, x, time):
        t = self.index[time]
        signal, (mean, std) = self.levels.alpha_bar[t], self._at(t)
        apart = x[..., None] - mean
        share = (self.odds.log() - std.log() - (apart / std) ** 2 / 2).softmax(-1)
        each = self.mean + signal.sqrt() * self.std**2 / std**2 * apart
        return (share * each).sum(-1)

    def quantile(self, x, t):
        mean, std = self._at(t)
        return (self.odds * torch.special.ndtr((x[..., None] - mean) / std)).sum(-1)

    def exact_end(self, x):
        """The estimate at the least noisy level, where the flow takes x from the noisiest one."""
        wanted = self.quantile(x, len(self.levels) - 1)
        low, high = torch.full_like(x, -20), torch.full_like(x, 20)
        for _ in range(80):
            middle = (low + high) / 2
            below = self.quantile(middle, 0) < wanted
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return self.denoise(low, float(self.levels.times[0]))


@pytest.mark.parametrize("components", [((0.3, 0.5, 1.0),), None], ids=["normal", "mixture"])
@pytest.mark.parametrize(("method", "order"), [("ddim", 1), ("dpmpp", 2), ("heun", 2)])
def test_solvers_have_their_order(method, order, components):
    """Twice the steps, 2^order times less error, evenly spaced in log-SNR."""
    whole = chain_of(torch.linspace(3.0, -4.0, 1281, dtype=F64))
    x = torch.linspace(-2, 2, 41, dtype=F64)
    errors = []
    for steps in (41, 81, 161):
        levels = whole.respace(steps, "logsnr")
        flow = Mixture(levels, components) if components else Mixture(levels)
        if method == "heun":
            end = descend_by_heun(levels, x, flow.denoise)
        else:
            end = descend(levels, x, flow.denoise, ddim_steps(levels, 0.0) if method == "ddim" else dpmpp_steps(levels))
        errors.append(float((end - flow.exact_end(x)).abs().mean()))
    for coarse, fine in itertools.pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.3)
