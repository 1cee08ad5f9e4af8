"""Writing a noise schedule: how much signal is left at time t.

A NoiseSchedule is built as `Class(options)` and holds no state. `alpha_bar(t)` is the share of signal power left, for
t in [0, 1], elementwise, float64: 1 at 0, falling, nearly 0 at 1. That is all there is to write:

    class Slope(NoiseSchedule):
        def alpha_bar(self, t):
            return (1 - t) ** self.options.power

A schedule that is defined by its betas also overrides `betas(steps)`, which never exceed MAX_BETA.

Checks of the conformance kit, besides those of every kind: check_all_signal_at_zero, check_noise_at_one,
check_signal_falls, check_alpha_bar_is_elementwise, check_alpha_bar_is_the_same_alone, check_betas_are_the_same_again,
check_betas_are_noise, check_betas_agree_with_alpha_bar.
"""

from diffmidi_core.contracts.schedule import MAX_BETA, NoiseSchedule

__all__ = ["MAX_BETA", "NoiseSchedule"]
