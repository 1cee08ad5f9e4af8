"""The tables of a chain, and the shorter chains made from it."""

import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.process import GaussianLevels
from diffmidi_core.registry import find


def levels_of(steps: int) -> GaussianLevels:
    return GaussianLevels.from_betas(find("schedule", "sqrt").build().betas(steps))


@pytest.fixture(scope="module")
def levels():
    return levels_of(2000)


def kept(levels: GaussianLevels, steps: int) -> list[int]:
    return [round(t * len(levels)) for t in levels.respace(steps).times.tolist()]


@pytest.mark.parametrize("spec", ["2000:5", "2000:10", "2000:200", "200:5", "7:7"])
def test_respacing_keeps_the_steps_that_the_original_keeps(golden, spec):
    total, steps = map(int, spec.split(":"))
    expected = golden["respacing"]["lists"][spec]
    ours = kept(levels_of(total), steps)
    assert (len(ours), sum(ours)) == (expected["count"], expected["sum"])
    if "steps" in expected:
        assert ours == expected["steps"]
    else:
        assert (ours[:5], ours[-5:]) == (expected["first5"], expected["last5"])


def test_one_step_starts_from_the_noisiest_level_where_the_original_takes_the_least_noisy(golden, levels):
    assert golden["respacing"]["lists"]["2000:1"]["steps"] == [0]
    assert kept(levels, 1) == [1999]
    assert levels.respace(1).posterior_x0.tolist() == pytest.approx([1])


def test_respaced_tables_agree_with_the_original(golden, levels):
    expected, ours = golden["respacing"]["respaced_sqrt_T2000_to_5"], levels.respace(5)
    golden.close(1000 * ours.times, expected["tau"])
    golden.close(ours.alpha_bar, expected["alphas_cumprod"])
    golden.close(ours.betas, expected["betas"])
    golden.close(ours.posterior_x0, expected["posterior_mean_coef1"])
    golden.close(ours.posterior_x_t, expected["posterior_mean_coef2"])
    golden.close(ours.posterior_variance, expected["posterior_variance"])
    golden.close(ours.posterior_log_variance, expected["posterior_log_variance_clipped"])


@pytest.mark.parametrize("steps", [1, 2, 3, 19, 20])
def test_any_number_of_steps_ends_at_the_noisiest_level_and_keeps_distinct_ones(steps):
    ours = kept(levels_of(20), steps)
    assert len(set(ours)) == steps
    assert ours[-1] == 19
    assert ours == sorted(ours)


@pytest.mark.parametrize("steps", [-1, 0, 2001])
def test_steps_out_of_range_are_refused_with_the_range(levels, steps):
    with pytest.raises(DiffmidiError, match=rf"{steps} .*1 to 2000"):
        levels.respace(steps)


def test_respacing_to_all_steps_changes_nothing(levels):
    torch.testing.assert_close(levels.respace(2000).posterior_x0, levels.posterior_x0, rtol=0, atol=0)


def test_tables_are_moved_once(levels):
    like = torch.zeros(1, dtype=torch.float32)
    assert levels.on(like) is levels.on(like)
    assert levels.on(like).betas.dtype == torch.float32
    assert levels.on(like.double()) is levels
    # Formed in float64, then cast: forming them in float32 would lose 1 − alpha_bar at the first levels.
    torch.testing.assert_close(levels.on(like).posterior_variance, levels.posterior_variance.float(), rtol=0, atol=0)


@pytest.mark.parametrize(("spacing", "scale"), [("logsnr", torch.log), ("karras", lambda sigma: sigma ** (1 / 7))])
def test_spacing_is_even_in_its_scale_up_to_what_is_as_good_as_noise(spacing, scale):
    dense = GaussianLevels.from_betas(torch.linspace(1e-5, 2e-2, 4000))
    chain = dense.respace(12, spacing)
    sigma = ((1 - chain.alpha_bar) / chain.alpha_bar).sqrt()
    gaps = scale(sigma).diff()
    torch.testing.assert_close(gaps, gaps.mean().expand(11), rtol=0.1, atol=0)
    assert float(chain.times[0]) == 0
    assert float(sigma[-1]) == pytest.approx(80, rel=0.01)


@pytest.mark.parametrize("spacing", ["time", "logsnr", "karras"])
@pytest.mark.parametrize("steps", [1, 2, 3, 17, 199, 200])
def test_levels_are_distinct_however_they_are_spaced(spacing, steps):
    times = levels_of(200).respace(steps, spacing).times
    assert len(times) == steps
    assert (times.diff() > 0).all()
    if steps == 200:
        assert torch.equal(times, levels_of(200).times)
