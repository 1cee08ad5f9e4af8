"""What the layouts of `mmm` share: tokens that say pitches and bins of velocity, and how training varies them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from diffmidi.api.tokenizer import Ids, Tokenizer
from diffmidi_tokenizers.declarations import NoteTokensOptions
from diffmidi_tokenizers.layouts import velocity_bins
from diffmidi_tokenizers.vocabulary import Vocabulary


class VariedTokens(Tokenizer):
    """A tokenizer of which each pitch and each bin of velocity is a token.

    Attributes:
        pitch_type, velocity_type: the numbers of these types of token.
    """

    options: NoteTokensOptions
    pitch_type: ClassVar[int]
    velocity_type: ClassVar[int]
    _words: Vocabulary

    def __init__(self, options: NoteTokensOptions) -> None:
        super().__init__(options)
        self._bin_of, self._velocity_of = velocity_bins(options.velocities)

    def transposition(self, semitones: int) -> Ids:
        """Pitch tokens by their pitch; those that would leave 21..108 have none."""
        return self._words.saying({self.pitch_type: self._words.said(self.pitch_type) + semitones})

    def velocity_scaling(self, factor: float) -> Ids:
        """Velocity tokens by the middles of their bins."""
        velocity = np.rint(self._velocity_of[self._words.said(self.velocity_type)] * factor).astype(np.int64)
        return self._words.saying({self.velocity_type: self._bin_of[velocity.clip(1, 127)]})
