"""Writing a sampler: from a canvas to tokens, in a number of evaluations of the denoiser.

A Sampler is built as `Class(options)` and keeps no state on itself. It `serves` one class of processes, whose family
its SamplerDeclaration names, and fills a Canvas: `ids` [B, L] with `fixed` [B, L] True where a token is given and
stays, and `admitted()`, which tokens may stand elsewhere. It takes `steps` steps of at most one evaluation of the
denoiser each. Everything random comes from `draws` (RowDraws): a stream for each row, so that a piece is the same
whatever is drawn beside it.

Reveal one part of the masked positions at every step, in random order:

    class Shuffled(Sampler):
        serves = MaskedDiffusion

        def draw(self, process, canvas, steps, draws, denoise, on_step):
            mask = process.tokenizer.mask_id
            ids = torch.where(canvas.fixed, canvas.ids, mask)
            order = draws.uniform(ids).masked_fill(canvas.fixed, 2)
            for step in range(steps):
                logits = (denoise or process.denoise)(ids, process.hidden_now(ids), canvas.places())   # [B, L, V]
                due = order <= (step + 1) / steps
                ids, _ = process.draw(logits, ids, draws, wanted=due, admitted=canvas.admitted())
                on_step(step + 1, steps)
            return Sampled(ids)

`process.drawing(canvas, denoise)` does both, quicker: its `reveal(ids, due, draws)` asks about rows in which a token
is due, and makes but once what hangs on the canvas alone. `process.draw` draws tokens jointly under the tokenizer's
grammar, at masked positions alone, and only what the canvas admits. For Gaussian processes, `GaussianLevels` has the
chain of levels and `ddpm_steps`, `ddim_steps`, `dpmpp_steps` the coefficients of a ReverseStep; `Support` draws tokens
jointly over what the tokenizer's grammar allows, and `TimeSupport` so that time adds up where a canvas has `bounds`
(TimeBounds), which `process.draw` takes beside what it admits.

Checks of the conformance kit, besides those of every kind: check_oracle_gives_the_words_back, check_fixed_words_stay,
check_only_what_is_allowed_is_drawn, check_specials_only_where_fixed, check_everything_random_is_drawn,
check_a_row_is_the_same_whatever_is_beside_it, check_no_state_is_kept, check_steps_are_evaluations,
check_impossible_steps_are_refused, check_odds_are_those_of_the_denoiser, check_more_steps_are_more_evaluations,
check_a_row_is_the_same_among_two_and_four, check_any_legal_canvas_is_filled_legally,
check_the_condition_reaches_the_denoiser.
"""

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.places import Places
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Denoise, OnStep, Sampled, Sampler
from diffmidi_core.contracts.time_bounds import TimeBounds
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.diffusion.autoregressive_process import AutoregressiveProcess
from diffmidi_core.diffusion.categorical import exact, nucleus, restricted
from diffmidi_core.diffusion.classifier_guidance import GaussianGuide
from diffmidi_core.diffusion.gaussian_diffusion import GaussianDiffusion
from diffmidi_core.diffusion.levels import GaussianLevels
from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion
from diffmidi_core.diffusion.remembering import RowDenoiser
from diffmidi_core.diffusion.steps import (
    ReverseStep,
    ddim_steps,
    ddpm_steps,
    dpmpp_steps,
    heun_corrections,
    q_sample,
)
from diffmidi_core.diffusion.support import Support
from diffmidi_core.diffusion.time_support import TimeSupport

__all__ = [
    "AutoregressiveProcess",
    "Canvas",
    "Denoise",
    "GaussianDiffusion",
    "GaussianGuide",
    "GaussianLevels",
    "MaskedDiffusion",
    "OnStep",
    "Places",
    "Process",
    "ReverseStep",
    "RowDenoiser",
    "RowDraws",
    "Sampled",
    "Sampler",
    "Support",
    "TimeBounds",
    "TimeSupport",
    "Tokenizer",
    "ddim_steps",
    "ddpm_steps",
    "dpmpp_steps",
    "exact",
    "heun_corrections",
    "nucleus",
    "q_sample",
    "restricted",
]
