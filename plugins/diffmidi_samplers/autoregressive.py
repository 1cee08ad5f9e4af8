"""Sampler of autoregressive processes: one word after the other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from diffmidi.api import DiffmidiError
from diffmidi.api.sampler import AutoregressiveProcess, Canvas, Process, Sampler, Tokenizer, some_rows
from diffmidi_samplers.declarations import AutoregressiveOptions


class Autoregressive(Sampler):
    """Draws each free word given those before it, one evaluation a word; fixed words are read where they stand.

    What is fixed further on is not heard: an infilled passage may not lead into what follows it. Only the grammar looks
    ahead: no word is drawn from where the fixed words cannot be read, or a text of this length cannot end.

    Each position that is free in some row takes a step. More steps than that do nothing; fewer are refused, since two
    words cannot be drawn at once. Nothing is cached from step to step.
    """

    options: AutoregressiveOptions

    @torch.no_grad()
    def sample(
        self,
        process: Process,
        canvas: Canvas,
        *,
        steps: int,
        generator: torch.Generator,
        denoise: Callable[..., Tensor] | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Words [B, L] for the canvas; put the process in eval mode first. See Sampler."""
        if not isinstance(process, AutoregressiveProcess):
            raise DiffmidiError(
                "autoregressive samples processes of the family 'autoregressive', and "
                f"{type(process).__name__} is not one: choose a sampler of its own family."
            )
        free = ~canvas.fixed
        places = free.any(0).nonzero().flatten().tolist()
        least = max(1, len(places))
        if steps < least:
            raise DiffmidiError(f"sampler 'autoregressive' takes one step a word: {least} at least (given: {steps}).")
        predict = denoise or process.predict
        words = canvas.ids.masked_fill(free, Tokenizer.mask_id)
        ahead = process.next_word.ahead(canvas.ids, canvas.fixed) if process.next_word else None
        for done in range(steps):
            if done < len(places):
                place = places[done]
                seen, due = words[:, : place + 1], free[:, place]
                logits, allowed = predict(seen)[due, place], process.allowed(seen, ahead)[due, place]
                words[due, place] = process.draw(
                    logits, allowed, some_rows(generator, due), **self.options.model_dump()
                )
            if on_step is not None:
                on_step(done + 1, steps)
        return words
