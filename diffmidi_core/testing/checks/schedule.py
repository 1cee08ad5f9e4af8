"""What a noise schedule promises."""

from __future__ import annotations

import torch

from diffmidi_core.contracts.schedule import MAX_BETA, NoiseSchedule
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect
from diffmidi_core.testing.variants import whatever_the_options

TIMES = torch.linspace(0, 1, 1001, dtype=torch.float64)
CHAINS = (2, 20, 2000)
"""Numbers of noise levels T that are tried."""


def use(schedule: NoiseSchedule) -> None:
    """What a run does with it."""
    schedule.alpha_bar(TIMES)
    schedule.betas(20)


@whatever_the_options
def check_all_signal_at_zero(component: Component) -> None:
    """alpha_bar(0) = 1."""
    start = float(component.build().alpha_bar(TIMES[:1]))
    expect(abs(start - 1) < 1e-9, f"alpha_bar(0) is 1, not {start}")


@whatever_the_options
def check_noise_at_one(component: Component) -> None:
    """alpha_bar(1) is nearly 0: sampling starts from pure noise, so training must have seen it."""
    end = float(component.build().alpha_bar(TIMES[-1:]))
    expect(end <= 0.01, f"alpha_bar(1) is at most 0.01, not {end}: a tenth of the amplitude would be left")


@whatever_the_options
def check_signal_falls(component: Component) -> None:
    """alpha_bar never rises, and stays in [0, 1]."""
    left = component.build().alpha_bar(TIMES)
    expect(torch.isfinite(left).all() and left.min() >= 0 and left.max() <= 1 + 1e-9, "alpha_bar stays in [0, 1]")
    rising = TIMES[:-1][left.diff() > 1e-12]
    expect(not len(rising), f"alpha_bar falls; it rises at t = {rising[:1].tolist()}")


def check_alpha_bar_is_elementwise(component: Component) -> None:
    """float64 in and out, any shape, each t by itself, and the argument is left as it was."""
    schedule = component.build()
    t = TIMES[:1000].clone().view(10, 100)
    left = schedule.alpha_bar(t)
    expect(left.dtype == torch.float64, f"alpha_bar is float64, not {left.dtype}")
    expect(left.shape == t.shape, f"alpha_bar keeps the shape of t: {tuple(t.shape)} became {tuple(left.shape)}")
    expect(torch.equal(t, TIMES[:1000].view(10, 100)), "alpha_bar leaves its argument as it was")
    backwards = schedule.alpha_bar(t.flip(0, 1)).flip(0, 1)
    expect(torch.allclose(left, backwards, rtol=0, atol=1e-12), "alpha_bar looks at each t by itself")


@whatever_the_options
def check_alpha_bar_is_the_same_alone(component: Component) -> None:
    """Any shape of t, of one number or none at all too, gives each t what it has alone, and again the second time."""
    schedule = component.build()
    whole = schedule.alpha_bar(TIMES)
    for index in (0, 1, 250, 700, 1000):
        for shape in ((), (1,), (1, 1, 1)):
            alone = schedule.alpha_bar(TIMES[index].clone().view(shape))
            expect(alone.shape == shape, f"alpha_bar of one t in shape {shape} has the shape {tuple(alone.shape)}")
            expect(
                abs(float(alone) - float(whole[index])) < 1e-9,
                f"alpha_bar({float(TIMES[index])}) is {float(alone):.6f} alone and {float(whole[index]):.6f} among"
                " others: no means, maxima or cumulative sums over t",
            )
    some = schedule.alpha_bar(TIMES[300:700])
    expect(torch.allclose(some, whole[300:700], rtol=0, atol=1e-9), "alpha_bar of some t hangs on the others beside")
    none = schedule.alpha_bar(TIMES[:0])
    expect(none.shape == (0,), f"alpha_bar of no t at all is of shape (0,), not {tuple(none.shape)}")
    expect(torch.equal(schedule.alpha_bar(TIMES), whole), "asked again, alpha_bar answers otherwise: keep no state")


def check_betas_are_the_same_again(component: Component) -> None:
    """betas(T) hangs on T alone, whatever was asked before."""
    schedule = component.build()
    first = [schedule.betas(steps) for steps in CHAINS]
    again = [schedule.betas(steps) for steps in reversed(CHAINS)][::-1]
    expect(
        all(torch.equal(*pair) for pair in zip(first, again, strict=True)), "betas(T) hangs on what was asked before"
    )


@whatever_the_options
def check_betas_are_noise(component: Component) -> None:
    """betas(T) is [T] float64 in (0, 0.999]."""
    schedule = component.build()
    for steps in CHAINS:
        betas = schedule.betas(steps)
        expect(betas.dtype == torch.float64, f"betas({steps}) is float64, not {betas.dtype}")
        expect(betas.shape == (steps,), f"betas({steps}) has shape ({steps},), not {tuple(betas.shape)}")
        inside = (betas > 0) & (betas <= MAX_BETA)
        expect(inside.all(), f"betas({steps}) lie in (0, {MAX_BETA}]; found {betas[~inside][:1].tolist()}")


@whatever_the_options
def check_betas_agree_with_alpha_bar(component: Component) -> None:
    """The product of 1 - beta is alpha_bar: exactly where betas are derived from it, in the limit where not."""
    schedule = component.build()
    steps = CHAINS[-1]
    product = (1 - schedule.betas(steps)).cumprod(0)
    left = schedule.alpha_bar(torch.linspace(0, 1, steps + 1, dtype=torch.float64)[1:])
    worst = float((product - left).abs().max())
    expect(worst < 0.01, f"with {steps} levels the product of 1 - beta is up to {worst:.3g} away from alpha_bar")
