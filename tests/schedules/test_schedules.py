"""The built-in schedules, against Diffusion-LM's tables and against what a schedule promises."""

import math

import pytest
import torch

from diffmidi.api.process import GaussianLevels
from diffmidi.api.schedule import MAX_BETA
from diffmidi_core.registry import find

NAMES = ("sqrt", "linear", "cosine")
TABLES = {
    "betas": "betas",
    "alphas_cumprod": "alpha_bar",
    "sqrt_alphas_cumprod": "sqrt_alpha_bar",
    "sqrt_one_minus_alphas_cumprod": "sqrt_one_minus_alpha_bar",
    "posterior_mean_coef1": "posterior_x0",
    "posterior_mean_coef2": "posterior_x_t",
    "posterior_variance": "posterior_variance",
    "posterior_log_variance_clipped": "posterior_log_variance",
}


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def schedule(name):
    return find("schedule", name).build()


def test_betas_agree_with_the_original(golden, name, schedule):
    table = golden["schedules"]["tables"][f"{name}_T2000"]
    betas = schedule.betas(2000)
    expected = torch.tensor(table["betas"], dtype=torch.float64)
    torch.testing.assert_close(betas[table["indices"]], expected, rtol=1e-12, atol=1e-15)
    assert int((betas >= MAX_BETA).sum()) == table["number_of_betas_clipped_to_0_999"]


@pytest.mark.parametrize("column", TABLES)
def test_tables_agree_with_the_original(golden, name, schedule, column):
    table = golden["schedules"]["tables"][f"{name}_T2000"]
    ours = getattr(GaussianLevels.from_betas(schedule.betas(2000)), TABLES[column])[table["indices"]]
    # Differences of numbers near 1 keep some 1e-11 of the 17 digits that are written.
    torch.testing.assert_close(ours, torch.tensor(table[column], dtype=torch.float64), rtol=1e-10, atol=1e-14)


def test_whole_tables_agree_by_their_sums(golden, name, schedule):
    table = golden["schedules"]["tables"][f"{name}_T2000"]
    levels = GaussianLevels.from_betas(schedule.betas(2000))
    ranks = range(1, 2001)
    ours = {
        "sum_betas": math.fsum(levels.betas.tolist()),
        "sum_alphas_cumprod": math.fsum(levels.alpha_bar.tolist()),
        "sum_i_plus_1_times_beta": math.fsum(i * b for i, b in zip(ranks, levels.betas.tolist(), strict=True)),
        "sum_i_plus_1_times_alphas_cumprod": math.fsum(
            i * a for i, a in zip(ranks, levels.alpha_bar.tolist(), strict=True)
        ),
        "sum_posterior_mean_coef1": math.fsum(levels.posterior_x0.tolist()),
        "sum_posterior_mean_coef2": math.fsum(levels.posterior_x_t.tolist()),
        "sum_posterior_log_variance_clipped": math.fsum(levels.posterior_log_variance.tolist()),
    }
    assert ours == pytest.approx(table["checksums"], rel=1e-12)


def test_alpha_bar_falls_from_one(schedule):
    left = schedule.alpha_bar(torch.linspace(0, 1, 1001, dtype=torch.float64))
    assert left.dtype == torch.float64
    assert left[0] == 1
    assert (left.diff() <= 0).all()
    assert (left[:-2].diff() < 0).all()
    assert 0 <= left[-1] < 1e-4


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 100, 50_000])
def test_betas_are_betas_at_any_number_of_steps(schedule, steps):
    betas = schedule.betas(steps)
    assert betas.shape == (steps,)
    assert ((betas > 0) & (betas <= MAX_BETA)).all()


def test_betas_and_alpha_bar_tell_the_same_story(schedule):
    steps = 20_000
    chain = (1 - schedule.betas(steps)).cumprod(0)
    continuous = schedule.alpha_bar(torch.arange(1, steps + 1, dtype=torch.float64) / steps)
    torch.testing.assert_close(chain, continuous, rtol=0, atol=1e-3)


def test_loglinear_falls_evenly_and_leaves_the_published_rest():
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    left = find("schedule", "loglinear").build().alpha_bar(t)
    torch.testing.assert_close(left.diff(), torch.full((10,), -0.0999, dtype=torch.float64))
    assert float(left[-1]) == pytest.approx(1e-3)
