"""The learned curve of the loss: it fits, and noise levels are drawn as it says."""

import pytest
import torch

from diffmidi_processes.loss_curve import BINS, UNIFORM, LossCurve


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def fitted(kind, loss, steps=600):
    curve, source = LossCurve(kind), generator()
    optimiser = torch.optim.AdamW(curve.parameters(), lr=1e-3, weight_decay=0)
    for _ in range(steps):
        t, _ = curve.draw(torch.rand(1, generator=source), 32)
        optimiser.zero_grad()
        curve.misfit(t, loss(t)).mean().backward()
        optimiser.step()
    return curve


def steep(t):
    """A loss that rises between 0.4 and 0.6 alone."""
    return 3 * ((t - 0.4) / 0.2).clamp(0, 1)


@pytest.fixture(scope="module", params=["importance", "warp"])
def curve(request):
    return fitted(request.param, steep)


def test_it_fits_the_loss(curve):
    t = torch.linspace(0.02, 0.98, 50)
    with torch.no_grad():
        assert (curve(t) - steep(t)).abs().mean() < 0.25


def test_it_rises_and_begins_at_nothing(curve):
    with torch.no_grad():
        heights = curve(torch.linspace(0, 1, 1000))
    assert heights[0] == 0
    assert (heights.diff() > 0).all()


def test_where_the_loss_is_warped_times_are_drawn_where_it_rises():
    t, weight = fitted("warp", steep).draw(torch.zeros(1), 10_000)
    assert float(((t > 0.38) & (t < 0.62)).float().mean()) > 0.7
    assert (weight == 1).all()


def test_a_warped_loss_is_linear_in_the_time_drawn():
    curve = fitted("warp", steep)
    t, _ = curve.draw(torch.zeros(1), 1000)
    found = steep(t.sort().values)
    middle = found[int(1000 * UNIFORM) : -int(1000 * UNIFORM)]
    even = torch.linspace(float(middle[0]), float(middle[-1]), len(middle))
    assert (middle - even).abs().max() < 0.3


def test_importance_draws_more_where_the_loss_is_high_and_leaves_the_mean_as_it_is():
    t, weight = fitted("importance", steep).draw(torch.zeros(1), 100_000)
    assert float((t > 0.5).float().mean()) > 0.7
    uniform = torch.linspace(0, 1, 100_000)
    for function in (steep, torch.square, torch.ones_like):
        assert float((weight * function(t)).mean()) == pytest.approx(float(function(uniform).mean()), abs=2e-3)
    assert weight.max() <= 1 / UNIFORM + 1e-3


@pytest.mark.parametrize("kind", ["importance", "warp"])
def test_before_training_it_holds_the_loss_for_a_line(kind):
    t, _ = LossCurve(kind).draw(torch.tensor([0.3]), 8)
    assert ((t >= 0) & (t < 1)).all()
    with torch.no_grad():
        torch.testing.assert_close(LossCurve(kind)(torch.tensor([0.0, 0.25, 1.0])), torch.tensor([0.0, 0.25, 1.0]))
    if kind == "warp":
        torch.testing.assert_close((8 * t.sort().values).floor(), torch.arange(8.0))


def test_the_fit_is_no_part_of_the_loss_but_has_a_gradient():
    curve, loss = LossCurve("warp"), torch.tensor([2.0, 5.0], requires_grad=True)
    found = curve.misfit(torch.tensor([0.2, 0.8]), loss)
    assert found.tolist() == [0, 0]
    found.sum().backward()
    assert loss.grad is None
    assert len(curve.log_rise.grad) == BINS
    assert curve.log_rise.grad.abs().max() > 0
