"""The noise levels of a Gaussian diffusion: every table of the chain, formed once in float64."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

import torch
from torch import Tensor

from diffmidi_core.errors import DiffmidiError

Spacing = Literal["time", "logsnr", "karras"]
"""In what the levels of few steps are evenly spaced: see `GaussianLevels.respace`."""
KARRAS_RHO = 7
KARRAS_SIGMA_MAX = 80


@dataclass(frozen=True, eq=False)
class GaussianLevels:
    """Tables over N noise levels, 0 the least noisy; made by `from_betas` or `respace`, never filled in by hand.

    Notation of Ho et al. 2020 (DDPM): x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε, and q(x_{t−1} | x_t, x_0) is normal with mean
    c1_t x_0 + c2_t x_t and variance β̃_t (their eq. 7). ᾱ_{−1} = 1. All tables are [N] float64 on the CPU; `on` gives
    the copy that a computation needs.

    Attributes:
        times: the t in [0, 1) at which the denoiser knows each level: its index in the chain that was trained, over T.
        alpha_bar: ᾱ_t.
        alpha_bar_prev: ᾱ_{t−1}.
        betas: β_t = 1 − ᾱ_t/ᾱ_{t−1}.
        sqrt_alpha_bar: √ᾱ_t.
        sqrt_one_minus_alpha_bar: √(1−ᾱ_t).
        posterior_x0: c1_t = β_t √ᾱ_{t−1} / (1−ᾱ_t).
        posterior_x_t: c2_t = (1−ᾱ_{t−1}) √(1−β_t) / (1−ᾱ_t).
        posterior_variance: β̃_t = β_t (1−ᾱ_{t−1}) / (1−ᾱ_t); 0 at t = 0.
        posterior_log_variance: ln β̃_t, but at t = 0 that of t = 1, where the logarithm exists (DDPM's clipping).
    """

    times: Tensor
    alpha_bar: Tensor
    alpha_bar_prev: Tensor
    betas: Tensor
    sqrt_alpha_bar: Tensor
    sqrt_one_minus_alpha_bar: Tensor
    posterior_x0: Tensor
    posterior_x_t: Tensor
    posterior_variance: Tensor
    posterior_log_variance: Tensor
    _copies: dict[tuple[torch.device, torch.dtype], GaussianLevels] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def from_betas(cls, betas: Tensor) -> GaussianLevels:
        """The levels of a whole chain, from `NoiseSchedule.betas`: ᾱ_t = Π_{s≤t} (1−β_s), times t/T."""
        betas = betas.to("cpu", torch.float64)
        return cls._from_alpha_bar((1 - betas).cumprod(0), torch.arange(len(betas), dtype=torch.float64) / len(betas))

    @classmethod
    def _from_alpha_bar(cls, alpha_bar: Tensor, times: Tensor) -> GaussianLevels:
        before = torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]])
        betas = 1 - alpha_bar / before
        variance = betas * (1 - before) / (1 - alpha_bar)
        return cls(
            times=times,
            alpha_bar=alpha_bar,
            alpha_bar_prev=before,
            betas=betas,
            sqrt_alpha_bar=alpha_bar.sqrt(),
            sqrt_one_minus_alpha_bar=(1 - alpha_bar).sqrt(),
            posterior_x0=betas * before.sqrt() / (1 - alpha_bar),
            posterior_x_t=(1 - before) * (1 - betas).sqrt() / (1 - alpha_bar),
            posterior_variance=variance,
            posterior_log_variance=torch.cat([variance[1:2], variance[1:]]).log() if len(variance) > 1 else betas.log(),
        )

    def __len__(self) -> int:
        return len(self.alpha_bar)

    def respace(self, steps: int, spacing: Spacing = "time") -> GaussianLevels:
        """`steps` of these levels, from the first to the last, as a chain of its own.

        ᾱ stays what it was at the levels that are kept, β and the posterior follow from it, and `times` stay those of
        the chain that was trained (Nichol & Dhariwal 2021, section 4). Kept are, for j = 0 to steps−1, the levels
        nearest to even spacing

            "time": in t, as in their code: round(j(N−1)/(steps−1)), half to even;
            "logsnr": in λ = −ln σ, where σ = √((1−ᾱ)/ᾱ) (Lu et al. 2022, DPM-Solver, section 3.4);
            "karras": in σ^(1/7) (Karras et al. 2022, eq. 5);

        moved up or down where two would be the same. The last two leave out levels of σ above 80, as Karras et al. do:
        they are as good as pure noise, and half of the steps would go there. One step keeps the noisiest level, where
        sampling starts, and not the least noisy. Raises DiffmidiError where `steps` is not in 1..N.
        """
        self.check(steps)
        kept = torch.tensor([len(self) - 1]) if steps == 1 else self._spaced(steps, spacing)
        return self._from_alpha_bar(self.alpha_bar[kept], self.times[kept])

    def check(self, steps: int) -> None:
        """Raises DiffmidiError where `steps` is not in 1..N."""
        most = len(self)
        if not 1 <= steps <= most:
            raise DiffmidiError(
                f"{steps} reverse steps were asked for, but there are {most} noise levels: ask for 1 to {most}."
            )

    def _spaced(self, steps: int, spacing: Spacing) -> Tensor:
        """[steps] indices of levels, ascending."""
        j, most = torch.arange(steps), len(self)
        if spacing == "time":
            return (j.double() * (most - 1) / (steps - 1)).round().long()
        sigma = ((1 - self.alpha_bar) / self.alpha_bar).sqrt()
        scale = sigma.log() if spacing == "logsnr" else sigma ** (1 / KARRAS_RHO)
        top = scale[sigma <= KARRAS_SIGMA_MAX].max()
        kept = torch.searchsorted((scale[1:] + scale[:-1]) / 2, scale[0] + (top - scale[0]) * j / (steps - 1))
        # Each at least one above the one before, and low enough for those that follow.
        return torch.minimum((kept - j).cummax(0).values + j, most - steps + j)

    def on(self, like: Tensor) -> GaussianLevels:
        """The same tables with the device and dtype of `like`; made once for each, so that a loop copies nothing."""
        where = like.device, like.dtype
        if where == (self.alpha_bar.device, self.alpha_bar.dtype):
            return self
        if where not in self._copies:
            tables = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
            # Training may use the copy even where inference was the first to ask for it.
            with torch.inference_mode(False):
                # Cast first: some devices (mps) know no float64.
                moved = {name: table.to(like.dtype).to(like.device) for name, table in tables.items()}
            self._copies[where] = GaussianLevels(**moved)
        return self._copies[where]


def at(table: Tensor, t: int | Tensor) -> Tensor:
    """Entries of a table, shaped to multiply [B, L, D]: one for all rows (t an int), or one a row (t [B] int64)."""
    found = table[t]
    return found if found.ndim == 0 else found[:, None, None]
