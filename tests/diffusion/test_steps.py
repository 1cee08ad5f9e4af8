"""Forward and reverse steps, against the original's numbers and against each other."""

import math

import pytest
import torch

from diffmidi.api.process import GaussianLevels, draw_noise, normal_kl, posterior_mean, predicted_noise, q_sample
from diffmidi.api.sampler import ddim_steps, ddpm_steps
from diffmidi_core.registry import find


@pytest.fixture(scope="module")
def levels():
    return GaussianLevels.from_betas(find("schedule", "sqrt").build().betas(2000))


@pytest.fixture
def x_start(golden):
    return torch.tensor(golden["training"]["x_start"]["value"], dtype=torch.float64)[:2]


def test_forward_process(golden, levels, x_start):
    block, t = golden["forward"], torch.tensor([3, 1500])
    noise = golden.noise(1, 2, 3, 4)
    x_t = q_sample(levels, x_start, t, noise)
    golden.close(x_t, block["q_sample"])
    golden.close(q_sample(levels, x_start, t, torch.zeros_like(noise)), block["q_mean"])
    golden.close(levels.sqrt_one_minus_alpha_bar[t] ** 2, block["q_variance"])
    golden.close(posterior_mean(levels, x_start, x_t, t), block["posterior_mean"])
    golden.close(levels.posterior_variance[t], block["posterior_variance"])
    golden.close(levels.posterior_log_variance[t], block["posterior_log_variance_clipped"])
    golden.close(predicted_noise(levels, x_t, x_start, t), block["eps_from_xstart"])


def test_prior_divergence(golden, levels, x_start):
    mean = levels.sqrt_alpha_bar[-1] * x_start
    log_variance = (1 - levels.alpha_bar[-1]).log()
    nats = normal_kl(mean, log_variance, torch.zeros_like(mean), torch.zeros_like(log_variance)).mean((1, 2))
    bits = nats / torch.tensor(2.0, dtype=torch.float64).log()
    # The value is 8e-8, far below any absolute tolerance.
    expected = torch.tensor(golden["forward"]["kl_prior_bits_per_dim"]["value"], dtype=torch.float64)
    torch.testing.assert_close(bits, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("method", ["ddpm", "ddim_eta0", "ddim_eta1"])
@pytest.mark.parametrize("clamp", [False, True])
def test_reverse_steps(golden, levels, method, clamp):
    run = golden["sampling"]["runs"][f"{method}.half.{'clamp' if clamp else 'noclamp'}"]
    short = levels.respace(5)
    steps = ddpm_steps(short) if method == "ddpm" else ddim_steps(short, eta=float(method[-1]))
    x = golden.noise(128, 2, 3, 4)
    for done in range(5):
        t, entry = 4 - done, run[f"step{done}"]
        assert 1000 * float(short.times[t]) == run["tau_of_steps"][done]
        x0_hat = golden.half(x, short.times[t].expand(2))
        if clamp:
            x0_hat = golden.nearest(x0_hat)
        golden.close(x0_hat, entry["pred_xstart"])
        if method == "ddpm":
            golden.close(posterior_mean(short, x0_hat, x, t), entry["mean"])
            golden.close(short.posterior_log_variance[t], entry["log_variance"])
        x = steps[t](x0_hat, x, golden.noise(129 + done, 2, 3, 4))
        golden.close(x, entry["sample"])
    assert golden.logits(x).argmax(-1).tolist() == run["tokens_argmax_logits"]


def test_steps_by_row_and_by_one_number_agree(golden, levels, x_start):
    noise = golden.noise(1, 2, 3, 4)
    by_row = q_sample(levels, x_start, torch.tensor([7, 7]), noise)
    torch.testing.assert_close(by_row, q_sample(levels, x_start, 7, noise), rtol=0, atol=0)


@pytest.mark.parametrize("steps", [1, 2, 5, 2000])
def test_ddim_with_all_the_noise_is_ddpm(levels, steps):
    short = levels.respace(steps)
    for ours, theirs in zip(ddim_steps(short, 1.0), ddpm_steps(short), strict=True):
        assert (ours.x0, ours.x_t, ours.noise) == pytest.approx((theirs.x0, theirs.x_t, theirs.noise), abs=1e-6)


def test_ddim_is_defined_where_hardly_any_signal_is_left():
    long = GaussianLevels.from_betas(find("schedule", "sqrt").build().betas(50_000))
    for steps in (2, 3, 50_000):
        for step in ddim_steps(long.respace(steps), 1.0):
            assert math.isfinite(step.x_t)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_reverse_steps_keep_the_forward_law_of_a_known_x_start(levels, eta):
    """Given x_start, mean √ᾱ x_start and variance 1 − ᾱ at one level go to the same at the level below."""
    short = levels.respace(50)
    for t, step in enumerate(ddim_steps(short, eta)):
        mean = step.x0 + step.x_t * short.sqrt_alpha_bar[t]
        variance = step.x_t**2 * (1 - short.alpha_bar[t]) + step.noise**2
        assert float(mean) == pytest.approx(float(short.alpha_bar_prev[t].sqrt()), abs=1e-12)
        assert float(variance) == pytest.approx(float(1 - short.alpha_bar_prev[t]), abs=1e-12)


def test_noise_comes_from_the_generator_alone():
    like = torch.zeros(3, 4, dtype=torch.float64)
    first = draw_noise(torch.Generator().manual_seed(1), like)
    torch.manual_seed(7)
    assert torch.equal(first, draw_noise(torch.Generator().manual_seed(1), like))
    assert not torch.equal(first, draw_noise(torch.Generator().manual_seed(2), like))
    assert first.dtype == torch.float64
