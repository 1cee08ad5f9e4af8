"""Writing a sampler: from a canvas to tokens, in a number of evaluations of the denoiser.

A Sampler is built as `Class(options)` and keeps no state on itself. It is given a process of the family that its
SamplerDeclaration names, and a Canvas: `ids` [B, L] with `fixed` [B, L] True where a token is given and stays. It
returns ids [B, L] int64 after `steps` steps of at most one evaluation each; every random draw comes from `generator`.

Reveal one part of the masked positions at every step, in random order:

    class Shuffled(Sampler):
        def sample(self, process, canvas, *, steps, generator, denoise=None, on_step=None):
            if steps < 1:
                raise DiffmidiError(f"a sampler takes 1 step or more, not {steps}.")
            mask = process.tokenizer.mask_id
            ids = torch.where(canvas.fixed, canvas.ids, mask)
            order = draw_uniform(generator, ids.shape, ids.device).masked_fill(canvas.fixed, 2)
            for step in range(steps):
                share = (ids == mask).float().mean(-1)   # [B] of masked positions
                logits = (denoise or process.denoise)(ids, share, canvas.keep)
                logits[..., :4] = -torch.inf   # no special token is music
                drawn = draw_categorical(logits, generator)
                ids = torch.where((ids == mask) & (order <= (step + 1) / steps), drawn, ids)
                if on_step is not None:
                    on_step(step + 1, steps)
            return ids

For Gaussian processes, `GaussianLevels` has the chain of levels and `ddpm_steps`, `ddim_steps`, `dpmpp_steps` the
coefficients of a ReverseStep; `Support` draws tokens jointly over what the tokenizer's grammar allows.

Checks of the conformance kit, besides those of every kind: check_oracle_gives_the_words_back, check_fixed_words_stay,
check_specials_only_where_fixed, check_every_draw_is_the_generators, check_no_state_is_kept,
check_steps_are_evaluations, check_impossible_steps_are_refused.
"""

from diffmidi_core.contracts.batch import Canvas
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Sampler
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.diffusion.autoregressive_process import AutoregressiveProcess
from diffmidi_core.diffusion.categorical import draw_categorical, draw_uniform, nucleus
from diffmidi_core.diffusion.gaussian_process import GaussianProcess
from diffmidi_core.diffusion.levels import GaussianLevels
from diffmidi_core.diffusion.masked_process import MaskedProcess
from diffmidi_core.diffusion.rows import some_rows
from diffmidi_core.diffusion.steps import (
    ReverseStep,
    ddim_steps,
    ddpm_steps,
    dpmpp_steps,
    draw_noise,
    heun_corrections,
    q_sample,
)
from diffmidi_core.diffusion.support import Support

__all__ = [
    "AutoregressiveProcess",
    "Canvas",
    "GaussianLevels",
    "GaussianProcess",
    "MaskedProcess",
    "Process",
    "ReverseStep",
    "Sampler",
    "Support",
    "Tokenizer",
    "ddim_steps",
    "ddpm_steps",
    "dpmpp_steps",
    "draw_categorical",
    "draw_noise",
    "draw_uniform",
    "heun_corrections",
    "nucleus",
    "q_sample",
    "some_rows",
]
