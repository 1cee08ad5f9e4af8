"""Controls: the rules of a request, built, and how they meet the canvas, the denoiser and what came."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from diffmidi_core.contracts.canvas import Canvas, NothingAllowedError
from diffmidi_core.contracts.control import Control, Prepares, Scores, Wraps
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Denoise
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.errors import BrokenPluginError, DiffmidiError
from diffmidi_core.machine.build import blamed, build
from diffmidi_core.music.notes import Score
from diffmidi_core.registry import find
from diffmidi_core.request import Request
from diffmidi_core.sections import Part


@dataclass(frozen=True)
class Controls:
    """The controls of a request, in its order.

    Attributes:
        parts: what they were built from.
        built: the controls.
    """

    parts: Sequence[Part] = ()
    built: Sequence[Control] = ()

    @classmethod
    def of(cls, request: Request) -> Controls:
        """Raises BrokenPluginError for one that cannot be built, or has none of the three methods."""
        built = []
        for part in request.controls:
            control: Control = build("control", part)
            if not isinstance(control, Prepares | Wraps | Scores):
                origin = find("control", part.spec).origin
                raise BrokenPluginError(f"control '{part.label}' of {origin} has neither prepare, wrap nor score.")
            built.append(control)
        return cls(request.controls, built)

    @property
    def scoring(self) -> bool:
        """Whether any of them judges music."""
        return any(isinstance(control, Scores) for control in self.built)

    def judging(self, *, parts: bool) -> bool:
        """Whether any of them judges music, or parts of pieces."""
        return any(
            isinstance(control, Scores) and not (parts and find("control", part.spec).control().whole)
            for part, control in self._each()
        )

    def prepared(self, canvas: Canvas, tokenizer: Tokenizer) -> Canvas:
        """The canvas as they all allow it. Raises DiffmidiError where they leave nothing together."""
        found = canvas
        for part, control in self._each():
            if isinstance(control, Prepares):
                with self._asked(part, "narrowing what may be drawn"):
                    try:
                        found = control.prepare(found, tokenizer)
                    except NothingAllowedError:
                        raise DiffmidiError(
                            f"control '{part.label}' and what is asked besides (other controls, --pitch, --lock range) "
                            "leave nothing that could be drawn: allow more."
                        ) from None
        if found is not canvas:
            self._check_left(found, tokenizer)
        return found

    def _check_left(self, canvas: Canvas, tokenizer: Tokenizer) -> None:
        """Of every type that must stand somewhere some token is left."""
        if canvas.types is None or canvas.sets is None:
            return  # a grammar's support finds out
        type_of = torch.from_numpy(tokenizer.grammar.type_of)
        named = canvas.allowed >= 0
        pairs = zip(canvas.allowed[named].tolist(), canvas.types[named].tolist(), strict=True)
        for row, kind in sorted(set(pairs)):
            if kind > 0 and not bool((canvas.sets[row] & (type_of == kind)).any()):
                what = tokenizer.roles.get(tokenizer.grammar.types[kind], tokenizer.grammar.types[kind])
                raise DiffmidiError(
                    f"{self.names('and')} and what is asked besides leave no {what} that could be drawn: allow more."
                )

    def names(self, joined: str = ",") -> str:
        """Their names in a sentence."""
        names = f" {joined} ".join(f"'{part.label}'" for part in self.parts)
        return f"control{'s' * (len(self.parts) > 1)} {names}"

    def wrapped(self, denoise: Denoise | None, process: Process) -> Denoise | None:
        """The denoiser with those around it that change it; None where nobody changed the process's own."""
        for part, control in self._each():
            if isinstance(control, Wraps):
                with self._asked(part, "wrapping the denoiser"):
                    denoise = control.wrap(denoise or process.denoiser(), process)
        return denoise

    def losses(self, pieces: Sequence[Score], *, parts: bool = False) -> list[dict[str, float]]:
        """Of each piece by the names of the controls that judge it; with `parts` they are parts of pieces."""
        found: list[dict[str, float]] = [{} for _ in pieces]
        for part, control in self._each():
            if not isinstance(control, Scores) or (parts and find("control", part.spec).control().whole):
                continue
            with self._asked(part, "judging music"):
                values = [float(value) for value in control.score(pieces)]
                if len(values) != len(pieces) or not all(map(math.isfinite, values)):
                    raise ValueError(f"its losses of {len(pieces)} pieces are {values}")
            for losses, value in zip(found, values, strict=True):
                losses[part.label] = value
        return found

    def _each(self) -> Iterator[tuple[Part, Control]]:
        return iter(list(zip(self.parts, self.built, strict=True)))

    @contextmanager
    def _asked(self, part: Part, doing: str) -> Iterator[None]:
        try:
            with blamed("control", part, doing):
                yield
        except BrokenPluginError:
            raise
        except DiffmidiError as error:
            if f"'{part.label}'" in str(error):
                raise
            raise DiffmidiError(f"control '{part.label}': {error}") from None


def total(losses: Mapping[str, float]) -> float:
    """What candidates are chosen by."""
    return sum(losses.values())
