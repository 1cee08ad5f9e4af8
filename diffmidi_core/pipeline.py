"""Pipeline: a trained model in a program of your own, in three lines.

from diffmidi_core.api import Pipeline
pipeline = Pipeline.from_pretrained("runs/mmm-bert-1")  # or "user/name" on the Hugging Face Hub
scores = pipeline.sample(8, seed=0)
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

from diffmidi_core.config import RunConfig
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Sampler
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.model import Model, is_run, open_model
from diffmidi_core.draw.sample import draw
from diffmidi_core.errors import UsageError
from diffmidi_core.music.notes import Score
from diffmidi_core.run.build import build
from diffmidi_core.run.precision import autocast, resolve_precision
from diffmidi_core.sections import Part, SampleConfig, parse_length

if TYPE_CHECKING:
    from diffmidi_core.run.checkpoint import Which


class Pipeline:
    """A trained model and what draws from it.

    Args:
        model: the model.
        device: where it computes; by default the machine's accelerator, and the CPU where there is none.

    Attributes:
        process: the diffusion process, with averaged weights, in evaluation mode.
        config: the parts it has, its `length` in words, and the settings that `sample` starts from.
        step: the iteration that the weights are of.
    """

    def __init__(self, model: Model, *, device: torch.device | str | None = None) -> None:
        self.folder, self.step = model.path, model.step
        asked = SampleConfig(**model.defaults.model_dump(include=set(SampleConfig.model_fields)))
        # It has a source, as every config has, from which nothing is read.
        self.config = RunConfig(
            source=Part(name="none"),
            sampler=model.defaults.sampler,
            sample=asked,
            length=model.length,
            precision=model.precision,
            **model.parts,
        )
        self._lengths = model.lengths
        self.device = torch.device(device or torch.accelerator.current_accelerator(check_available=True) or "cpu")
        self.process: Process = model.process.to(self.device)

    @classmethod
    def from_pretrained(
        cls,
        where: str | Path,
        *,
        checkpoint: Which = None,
        revision: str | None = None,
        device: torch.device | str | None = None,
    ) -> Self:
        """Open a run, a folder that `diffmidi export` wrote, or a model on the Hugging Face Hub ("user/name").

        Args:
            where: a folder; what is no folder here is a name on the Hub.
            checkpoint: of a run: a step, "last" or "best"; by default the best, the last where none is known.
            revision: of a model on the Hub: a branch, tag or commit.
            device: where it computes; by default the machine's accelerator, and the CPU where there is none.

        Nothing in the folder is executed. Raises DiffmidiError where there is no such model, where it is damaged, or
        where a part that it needs is not installed.
        """
        folder = Path(where)
        if not folder.is_dir():
            from diffmidi_core.publish.hub import fetch

            folder = fetch(str(where), revision)
        return cls(open_model(folder, checkpoint), device=device)

    @property
    def tokenizer(self) -> Tokenizer:
        """Music to words and back, as the model was trained with it."""
        return self.process.tokenizer

    def sample(
        self,
        count: int = 1,
        *,
        seed: int = 0,
        steps: int | None = None,
        length: str | None = None,
        on_step: Callable[[int, int | None], object] | None = None,
    ) -> list[Score]:
        """Draw new music.

        Args:
            count: how many pieces.
            seed: the same seed, count and steps give the same pieces, and those that `diffmidi sample` gives.
            steps: evaluations of the denoiser for each piece; by default as the run had them.
            length: "30 seconds", "8 bars", "64 notes", or as long as the "windows" or "pieces" that it was trained on;
                by default as the run had it.
            on_step: told (done, total) after each step; total is None where no one knows how many it takes.

        Raises UsageError for a count, seed, number of steps or length that cannot be.
        """
        return [self.tokenizer.decode(ids) for ids in self._draw(count, seed, steps, length, on_step)]

    def words(
        self,
        count: int = 1,
        *,
        seed: int = 0,
        steps: int | None = None,
        length: str | None = None,
        on_step: Callable[[int, int | None], object] | None = None,
    ) -> list[list[str]]:
        """The same as words, which `tokenizer.to_ids` and `tokenizer.decode` make music of."""
        return [self.tokenizer.to_words(ids) for ids in self._draw(count, seed, steps, length, on_step)]

    def push_to_hub(self, name: str, *, private: bool = False, license: str | None = None) -> str:
        """Publish the model as "user/name" on the Hugging Face Hub and return its address.

        A run is exported first, at the checkpoint that this pipeline opened. `license` is that of the music it was
        trained on. Raises DiffmidiError where the Hub cannot be reached or does not let you.
        """
        from diffmidi_core.publish.hub import publish

        which = self.step if is_run(self.folder) else None
        return publish(self.folder, name, which=which, private=private, license=license)

    def _draw(
        self,
        count: int,
        seed: int,
        steps: int | None,
        length: str | None,
        on_step: Callable[[int, int | None], object] | None,
    ) -> list[Ids]:
        steps = self.config.sample.steps if steps is None else steps
        if count < 1 or seed < 0 or steps < 1:
            raise UsageError(f"count and steps are 1 at least and seed 0 (given: {count}, {steps}, {seed}).")
        length = self.config.sample.length if length is None else length
        try:
            parse_length(length)
        except ValueError as error:
            raise UsageError(f"length: {error} (given: {length!r}).") from None
        asked = self.config.sample.model_copy(update={"count": count, "steps": steps, "length": length})
        config = self.config.model_copy(update={"seed": seed, "sample": asked})
        batches = draw(self.process, self._sampler, config, self._lengths, autocast=self._autocast, on_step=on_step)
        return [piece.ids for _, pieces in batches for piece in pieces]

    @cached_property
    def _sampler(self) -> Sampler:
        sampler: Sampler = build("sampler", self.config.sampler)
        return sampler

    @cached_property
    def _precision(self) -> str:
        return resolve_precision(self.config.precision)

    def _autocast(self) -> AbstractContextManager[None]:
        return autocast(self._precision, self.device)
