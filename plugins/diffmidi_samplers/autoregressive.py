"""Sampler of autoregressive processes: one token after the other."""

from __future__ import annotations

from diffmidi.api import DiffmidiError
from diffmidi.api.sampler import AutoregressiveProcess, Canvas, Denoise, OnStep, RowDraws, Sampled, Sampler, Tokenizer
from diffmidi_samplers.declarations import AutoregressiveOptions


class Autoregressive(Sampler):
    """Draws each free token given those before it, one evaluation a token; fixed tokens are read where they stand.

    What is fixed further on is not heard: an infilled passage may not lead into what follows it. Only the grammar looks
    ahead: no token is drawn from where what is fixed or allowed further on cannot be read, or a text of this length
    cannot end.

    Each position that is free in some row takes a step. More steps than that do nothing; fewer are refused, since two
    tokens cannot be drawn at once. What the process and its backbone keep of the tokens before is not computed again
    (`Backbone.cached`).
    """

    serves = AutoregressiveProcess
    options: AutoregressiveOptions

    def draw(
        self,
        process: AutoregressiveProcess,
        canvas: Canvas,
        steps: int,
        draws: RowDraws,
        denoise: Denoise | None,
        on_step: OnStep,
    ) -> Sampled:
        """The canvas, from left to right. See Sampler."""
        free = ~canvas.fixed
        places = free.any(0).nonzero().flatten().tolist()
        least = max(1, len(places))
        if steps < least:
            raise DiffmidiError(f"sampler 'autoregressive' takes one step a token: {least} at least (given: {steps}).")
        tokens, reader = canvas.ids.masked_fill(free, Tokenizer.mask_id), process.reader(canvas)
        for done in range(steps):
            if done < len(places):
                place = places[done]
                seen, due = tokens[:, : place + 1], free[:, place]
                logits, allowed = reader.logits(seen, denoise)[due], reader.allowed(seen)[due]
                tokens[due, place] = process.draw(logits, allowed, draws.some(due), **self.options.model_dump())
            on_step(done + 1, steps)
        return Sampled(tokens)
