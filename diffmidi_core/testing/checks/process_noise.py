"""What the noise of a process promises: posteriors and priors are those that follow from its own q by Bayes' rule."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from diffmidi_core.contracts.places import EVERYWHERE, Places
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import SPECIALS
from diffmidi_core.diffusion.gaussian_diffusion import GaussianDiffusion
from diffmidi_core.diffusion.token_diffusion import TokenDiffusion
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.registry import offers
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect
from diffmidi_core.testing.surroundings import generator
from diffmidi_core.testing.toy_language import allowed_at, batch_of, bits_of, every_text, toy_process_of

DRAWN = 4000
"""Corrupted rows that are counted."""
LEVELS = (0.2, 0.5, 0.9)
FINE = 1e-4
ERRORS = 5


def check_q_is_a_distribution(component: Component) -> None:
    """q(z | w) sums up to 1 over z, is the same one by one and all at once, and is what is drawn."""
    process = _built(component)
    if not isinstance(process, TokenDiffusion):
        return
    ids = every_text(process.tokenizer)[:1]
    for level in LEVELS:
        q = q_of(process, level, ids.shape[1])  # [L, V, V]
        for place in range(1, ids.shape[1] - 1):
            w = int(ids[0, place])
            total = float(q[place, w].sum())
            expect(abs(total - 1) < FINE, f"q(z | w) sums up to {total:.4f} over z at level {level}: see corruption")
        rows = ids.repeat(DRAWN, 1)
        m = torch.full((DRAWN,), level)
        z = process.corrupted(batch_of(rows), m, generator())
        one = process.corruption.log_probability(z, rows, m).double().exp()
        several = q[torch.arange(ids.shape[1]), rows][torch.arange(DRAWN)[:, None], torch.arange(ids.shape[1]), z]
        inside = slice(1, ids.shape[1] - 1)
        expect(
            torch.allclose(one[:, inside], several[:, inside], atol=FINE),
            "corruption.log_probability() and log_probabilities() give one token other probabilities",
        )
        for place in range(1, ids.shape[1] - 1):
            shares = torch.bincount(z[:, place], minlength=q.shape[-1]) / DRAWN
            p = q[place, ids[0, place]]
            off = (shares - p).abs() - ERRORS * (p * (1 - p) / DRAWN).sqrt()
            expect(
                float(off.max()) < 2 / DRAWN,
                f"at level {level} corruption.draw() gives a token {float(shares[off.argmax()]):.3f} of the draws that"
                f" log_probability() gives {float(p[off.argmax()]):.3f}",
            )


def check_posterior_follows_from_q(component: Component) -> None:
    """q(z_s | z_t, w) by its own q: what leads from z_s to z_t, times what leads from w to z_s, by Bayes' rule."""
    process = _built(component)
    if isinstance(process, GaussianDiffusion):
        _expect_normal_posterior(process)
    elif isinstance(process, TokenDiffusion):
        _expect_posterior(process)


def _expect_posterior(process: TokenDiffusion) -> None:
    texts = every_text(process.tokenizer)
    length, size = texts.shape[1], len(process.tokenizer.vocab)
    p = torch.rand(1, length, size, generator=generator(1)) * allowed_at(process.tokenizer, length)
    p = p / p.sum(-1, keepdim=True)
    for before, now in ((0.1, 0.4), (0.4, 0.9), (0.0, 0.5)):
        q_s, q_t = (q_of(process, level, length) for level in (before, now))
        step = torch.linalg.solve(q_s, q_t)  # [L, V, V] Q_t = Q_s K
        expect(float(step.min()) > -FINE, f"no step leads from level {before} to {now}: the levels are no chain")
        z = process.corrupted(batch_of(texts), torch.full((len(texts),), now), generator(2))
        for row in range(0, len(texts), 5):
            told = torch.stack([torch.tensor([before]), torch.tensor([now])])
            found = process.corruption.posterior(z[row : row + 1], told[1], told[0], p)[0].double()
            for place in range(1, length - 1):
                at = int(z[row, place])
                likely = q_t[place, :, at]  # [V] q(z_t | w)
                ratio = torch.where(likely > 1e-12, p[0, place].double() / likely.clamp(min=1e-12), 0.0)
                exact = (ratio[:, None] * q_s[place] * step[place, :, at]).sum(0)
                expect(
                    torch.allclose(found[place], exact, atol=1e-3),
                    f"corruption.posterior() from level {now} to {before} is up to"
                    f" {float((found[place] - exact).abs().max()):.3f} away from what follows from q by Bayes' rule",
                )


def _expect_normal_posterior(process: GaussianDiffusion) -> None:
    """The product of two normal densities, by precisions; and the tokens' evidence by their own density."""
    levels = process.levels
    left, before = levels.alpha_bar, torch.cat([torch.ones(1, dtype=torch.float64), levels.alpha_bar[:-1]])
    keep, beta = left / before, 1 - left / before
    for t in range(1, len(levels)):
        precision = keep[t] / beta[t] + 1 / (1 - before[t])
        exact = {
            "posterior_x0": before[t].sqrt() / (1 - before[t]) / precision,
            "posterior_x_t": keep[t].sqrt() / beta[t] / precision,
            "posterior_variance": 1 / precision,
        }
        for name, value in exact.items():
            found = float(getattr(levels, name)[t])
            expect(
                math.isclose(found, float(value), rel_tol=1e-3, abs_tol=1e-9),
                f"levels.{name} is {found:.5f} at level {t}, and {float(value):.5f} follows from alpha_bar",
            )
    ids = every_text(process.tokenizer)[:4]
    clean = process.embed(ids)
    for t in (0, len(levels) // 2, len(levels) - 1):
        time = levels.times[t].float().expand(len(ids))
        x = levels.sqrt_alpha_bar[t].float() * clean + levels.sqrt_one_minus_alpha_bar[t].float() * torch.randn(
            clean.shape, generator=generator(3)
        )
        every = torch.stack(
            [process.log_probability(x, time, torch.full_like(ids, w)) for w in range(len(process.tokenizer.vocab))], -1
        )
        expect(
            torch.allclose(process.evidence(x, time).softmax(-1), every.softmax(-1), atol=1e-3),
            f"evidence() at level {t} gives tokens other odds than log_probability(): both are of q(x_t | w)",
        )


def check_prior_is_the_last_level_of_q(component: Component) -> None:
    """The term "prior" is the divergence of q at the noisiest level from what sampling begins with."""
    process = _built(component)
    if not isinstance(process, GaussianDiffusion):
        return
    texts = every_text(process.tokenizer)
    with torch.no_grad():
        found = process.bound(batch_of(texts), generator(), levels=2).terms.get("prior")
        if found is None:
            return
        left = float(process.levels.alpha_bar[-1])
        mean, variance = math.sqrt(left) * process.embed(texts).double(), left * process.start_std**2 + 1 - left
        exact = 0.5 * (variance + mean**2 - 1 - math.log(variance)).sum(-1) / math.log(2)
    expect(
        torch.allclose(found.double(), exact, rtol=0.02, atol=1e-5),
        f"the term 'prior' is {float(found.sum(-1).mean()):.4f} bits a text, and {float(exact.sum(-1).mean()):.4f}"
        " follow from q at the noisiest level: look at its units and at alpha_bar there",
    )


def check_bound_is_the_entropy_where_the_network_is_right(component: Component) -> None:
    """With p(w | z) by Bayes' rule in the network's place, the bound of all N texts is log2(N) bits, as it must."""
    process = _built(component)
    if not isinstance(process, TokenDiffusion):
        return
    texts, asked = every_text(process.tokenizer), []
    right = bayes(process, allowed_at(process.tokenizer, texts.shape[1]).double())

    def denoise(z: Tensor, m: Tensor, places: Places = EVERYWHERE) -> Tensor:
        asked.append(1)
        return right(z, m, places)

    process.denoise = denoise  # type: ignore[method-assign]
    rows = batch_of(texts.repeat(32, 1))
    with torch.no_grad():
        bits = process.bound(rows, generator(5)).bits.double()
    mean, error = float(bits.mean()), float(bits.std() / len(bits) ** 0.5)
    if not asked:  # the bound asks its network by another way
        return
    expect(
        abs(mean - bits_of(texts)) <= ERRORS * error + 0.02,
        f"with a network that is right the bound of {len(texts)} equally likely texts is {mean:.3f} bits, not log2("
        f"{len(texts)}) = {bits_of(texts):.3f}: look at the posterior, the prior, the weights of levels, and bits",
    )


def check_oracle_knows_the_tokens(component: Component) -> None:
    """Samplers of its family give the oracle's tokens back."""
    process = _built(component)
    texts = every_text(process.tokenizer)
    oracle = process.oracle(texts)
    if isinstance(process, TokenDiffusion):
        hidden = texts.masked_fill(texts >= len(SPECIALS), process.tokenizer.mask_id)
        p = process.log_probabilities(oracle(hidden, torch.ones(len(texts)), EVERYWHERE).float()).exp()
        sure = p.gather(-1, texts[..., None])[..., 0][:, 1:-1]
        expect(float(sure.min()) > 0.99, f"oracle() gives a token of the text p = {float(sure.min()):.2f}, not 1")
    from diffmidi_core.testing.checks.sampler_odds import blank, drawn_by

    for offer in offers("sampler"):
        if offer.problem() is not None or offer.sampler().family != component.offer.process().family:
            continue
        try:
            found = drawn_by(offer.build({}), process, blank(texts), texts.shape[1], denoise=oracle)
        except DiffmidiError:
            continue
        wrong = int((found != texts).sum())
        expect(not wrong, f"with oracle(ids) sampler '{offer.spelling}' gives {wrong} other tokens than ids")
        break


def q_of(process: TokenDiffusion, level: float, length: int) -> Tensor:
    """[L, V, V] q(z | w) at a level, a row for each w."""
    size = len(process.tokenizer.vocab)
    z = torch.arange(size)[:, None].expand(size, length)
    found = process.corruption.log_probabilities(z, torch.full((size,), level)).double().exp()  # [z, L, w]
    return found.permute(1, 2, 0)


def bayes(process: TokenDiffusion, shares: Tensor) -> Callable[..., Tensor]:
    """The denoiser that is right where tokens come with `shares` [L, V], each by itself."""

    def denoise(z: Tensor, m: Tensor, places: Places = EVERYWHERE) -> Tensor:
        return shares.log().float() + process.corruption.log_probabilities(z, m.expand(len(z)).float())

    return denoise


def _built(component: Component) -> Process:
    return toy_process_of(component.offer, component.options).requires_grad_(False)
