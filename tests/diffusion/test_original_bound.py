"""The bound that Diffusion-LM reports, put together from our functions: they agree, and so does its floor."""

import math

import pytest
import torch
import torch.nn.functional as F

from diffmidi.api.process import GaussianLevels, normal_kl, posterior_mean, q_sample
from diffmidi_core.registry import find


def levels_of(steps: int) -> GaussianLevels:
    return GaussianLevels.from_betas(find("schedule", "sqrt").build().betas(steps))


def original_bound(golden, levels, denoise, k0):
    """Bits per dimension, [2] each: kl_T, kl_{T−1} .. kl_0, decoder; and the summed squared error on x_start."""
    ids, clean = golden.ids2, golden.embeddings[golden.ids2]
    start_std = levels.sqrt_one_minus_alpha_bar[0]
    x_start = clean + start_std * golden.noise(k0, 2, 3, 4)
    zero = torch.zeros((), dtype=torch.float64)

    def bits(nats):
        return nats.mean((1, 2)) / math.log(2)

    terms = [bits(normal_kl(levels.sqrt_alpha_bar[-1] * x_start, (1 - levels.alpha_bar[-1]).log(), zero, zero))]
    error = torch.zeros(2, dtype=torch.float64)
    for done, t in enumerate(reversed(range(len(levels)))):
        x_t = q_sample(levels, x_start, t, golden.noise(k0 + 1 + done, 2, 3, 4))
        x0_hat = denoise(x_t, levels.times[t].expand(2))
        log_variance = levels.posterior_log_variance[t]
        if t > 0:
            mean, guess = (posterior_mean(levels, x0, x_t, t) for x0 in (x_start, x0_hat))
            terms.append(bits(normal_kl(mean, log_variance, guess, log_variance)))
        else:
            terms.append(bits(normal_kl(clean, 2 * start_std.log(), x0_hat, log_variance)))
        error += ((x_start - x0_hat) ** 2).mean((1, 2))
    nats = F.cross_entropy(golden.logits(x_start).mT, ids, reduction="none").mean(-1)
    terms.append(nats / 4 / math.log(2))
    return torch.stack(terms, 1), error


def denoiser(golden, name, clamp):
    def denoise(x, t):
        x0_hat = golden.half(x, t) if name == "half" else golden.embeddings[golden.ids2]
        return golden.nearest(x0_hat) if clamp else x0_hat

    return denoise


@pytest.mark.parametrize("name", ["half", "oracle"])
@pytest.mark.parametrize("clamp", [False, True])
def test_short_runs_term_by_term(golden, name, clamp):
    run = golden["vlb"]["runs"][f"T2000_respaced5.{name}.{'clamp' if clamp else 'noclamp'}"]
    terms, error = original_bound(golden, levels_of(2000).respace(5), denoiser(golden, name, clamp), run["k0"])
    golden.close(terms, run["vb"])
    golden.close(terms.sum(1), run["total_bits_per_dim"])
    golden.close(error, run["sum_xstart_mse"])


@pytest.mark.parametrize("name", ["half", "oracle"])
def test_whole_runs(golden, name):
    run = golden["vlb"]["runs"][f"T2000.{name}.noclamp"]
    terms, error = original_bound(golden, levels_of(2000), denoiser(golden, name, False), run["k0"])
    torch.testing.assert_close(terms[:, 0], torch.tensor(run["kl_T"]["value"], dtype=torch.float64), rtol=1e-6, atol=0)
    golden.close(terms[:, 1:-2].sum(1), run["sum_kl_t_ge_1"])
    golden.close(terms[:, -2], run["kl_t0"])
    golden.close(terms[:, -1], run["decoder_nll"])
    golden.close(terms.sum(1), run["total_bits_per_dim"])
    golden.close(error, run["sum_xstart_mse"])


@pytest.mark.parametrize("steps", [2000, 200])
def test_its_floor_for_a_model_that_knows_the_words(golden, steps):
    expected = golden["vlb"]["floor_of_a_perfect_clamped_denoiser"]["value"][f"T{steps}"]
    levels = levels_of(steps)
    variance = 1 - levels.alpha_bar[0]
    zero = torch.zeros((), dtype=torch.float64)
    first = normal_kl(zero, variance.log(), zero, levels.posterior_log_variance[0]) / math.log(2)
    snr = levels.alpha_bar / (1 - levels.alpha_bar)
    rest = 0.5 * variance * (snr[0] - snr[-1]) / math.log(2)
    assert float(first) == pytest.approx(expected["kl_0_bits_per_dim"], rel=1e-8)
    assert float(rest) == pytest.approx(expected["expected_sum_kl_t_ge_1_bits_per_dim"], rel=1e-8)
