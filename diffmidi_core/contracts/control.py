"""Control: a rule that drawing obeys, or comes near to. It says what may stand, asks the model, or judges what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Denoise
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.music.notes import Score


@runtime_checkable
class Prepares(Protocol):
    """A control that is always obeyed."""

    def prepare(self, canvas: Canvas, tokenizer: Tokenizer) -> Canvas:
        """The canvas with fewer tokens allowed (`Canvas.narrowed`); what is fixed stays, and rows do not mix.

        Whatever of a piece is drawn comes by here: heads of bars too, and passages that are drawn anew. Raises
        DiffmidiError where the tokens do not tell what the rule is about.
        """


@runtime_checkable
class Wraps(Protocol):
    """A control that changes what the sampler sees of the model."""

    def wrap(self, denoise: Denoise, process: Process) -> Denoise:
        """A denoiser with the signature of `process.denoise`, around one.

        It is asked once a step, without gradients (`torch.enable_grad` gives them), and says of each row what it would
        say of it alone.
        """


@runtime_checkable
class Scores(Protocol):
    """A control that judges music, and by whose losses candidates are chosen, step by step and passage by passage."""

    def score(self, pieces: Sequence[Score]) -> Sequence[float]:
        """The loss of each piece, of it alone: 0 where the rule is kept, about 1 where it could hardly be less so.

        The losses of several controls are added up. A piece may have no notes.
        """


class Control:
    """A rule. Built as `Class(options)`; keeps no state. It has one to three of the methods above.

    `prepare(canvas, tokenizer)`: always obeyed, which does not make it the model's distribution under the rule.
    `wrap(denoise, process)`: guidance. `score(pieces)`: the loss of candidates.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
