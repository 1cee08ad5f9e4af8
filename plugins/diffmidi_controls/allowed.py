"""Controls that say which tokens may be drawn: always obeyed."""

from __future__ import annotations

from diffmidi.api.control import Canvas, Control, Tokenizer, allow_pitches
from diffmidi_controls.declarations import KeyOptions, RangeOptions, pitch, scale


class Key(Control):
    """Only pitches of a key; a minor one is natural minor, with its leading note beside the seventh where it may."""

    options: KeyOptions

    def prepare(self, canvas: Canvas, tokenizer: Tokenizer) -> Canvas:
        """Leaves the pitch tokens of the key."""
        classes = scale(self.options.key, leading=self.options.leading)
        return allow_pitches(canvas, tokenizer, [each for each in range(128) if each % 12 in classes])


class Range(Control):
    """Only pitches from one to another."""

    options: RangeOptions

    def prepare(self, canvas: Canvas, tokenizer: Tokenizer) -> Canvas:
        """Leaves the pitch tokens between."""
        return allow_pitches(canvas, tokenizer, range(pitch(self.options.low), pitch(self.options.high) + 1))
