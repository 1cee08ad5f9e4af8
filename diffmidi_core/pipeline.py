"""Pipeline: a trained model in a program of your own, in three lines.

from diffmidi import Pipeline
pipeline = Pipeline.from_pretrained("runs/mmm-bert-1")  # or "user/name" on the Hugging Face Hub
scores = pipeline.sample(8, seed=0)
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import Ids, Role, Tokenizer
from diffmidi_core.draw.model import Model, open_model
from diffmidi_core.draw.pieces import Computing, OnStep, pieces
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.machine.precision import autocast, resolve_precision
from diffmidi_core.music.notes import Score
from diffmidi_core.music.reading import read_midi
from diffmidi_core.own import spec_of
from diffmidi_core.pieces import Piece, Pieces
from diffmidi_core.request import Chosen, Request, control_options
from diffmidi_core.saved.classifiers import asked_classifiers
from diffmidi_core.saved.installed import model_at
from diffmidi_core.sections import SCORE_LEVELS
from diffmidi_core.steer.steering import Steering

if TYPE_CHECKING:
    from diffmidi_core.judge.score import PieceScore
    from diffmidi_core.saved.manifest import Which
    from diffmidi_core.show.film import Film
    from diffmidi_core.steer.asked import Asked
    from diffmidi_core.steer.infill import Take


class Pipeline(Steering):
    """A trained model and what draws from it.

    Args:
        model: the model.
        device: where it computes; by default the machine's accelerator, and the CPU where there is none.

    Attributes:
        model: its parts, the length of its windows, the iteration that its weights are of, and where it lies.
        defaults: how it draws unless it is asked otherwise.
    """

    def __init__(self, model: Model, *, device: torch.device | str | None = None) -> None:
        self.model, self.defaults = model, model.defaults
        self.device = torch.device(device or torch.accelerator.current_accelerator(check_available=True) or "cpu")
        model.process.to(self.device)

    @classmethod
    def from_pretrained(
        cls,
        where: str | Path,
        *,
        checkpoint: Which = None,
        revision: str | None = None,
        device: torch.device | str | None = None,
    ) -> Self:
        """Open a run, a folder that `diffmidi export` wrote, an installed model by its name, or one on the Hub.

        Args:
            where: a folder; else the name of an installed model (`diffmidi models`); else "user/name", which is fetched
                from the Hugging Face Hub.
            checkpoint: of a run: a step, "last" or "best"; by default the best, the last where none is known.
            revision: of a model on the Hub: a branch, tag or commit.
            device: where it computes; by default the machine's accelerator, and the CPU where there is none.

        Nothing in the folder is executed. Raises DiffmidiError where there is no such model, where it is damaged, or
        where a part that it needs is not installed.
        """
        folder = model_at(where)
        if not folder.is_dir():
            from diffmidi_core.publish.hub import fetch

            folder = fetch(str(where), revision)
        return cls(open_model(folder, checkpoint), device=device)

    @property
    def process(self) -> Process:
        """The diffusion process, with averaged weights, in evaluation mode."""
        return self.model.process

    @property
    def tokenizer(self) -> Tokenizer:
        """Music to tokens and back, as the model was trained with it."""
        return self.model.tokenizer

    def sample(
        self,
        count: int = 1,
        *,
        seed: int = 0,
        steps: int | None = None,
        length: str | None = None,
        sampler: str | None = None,
        options: Mapping[str, Any] | None = None,
        want: Mapping[str, str] | None = None,
        guidance: float | None = None,
        controls: Chosen = (),
        classifiers: Sequence[str | Path] = (),
        on_step: OnStep | None = None,
    ) -> Pieces[Piece]:
        """Draw new music: a list of scores that save themselves, and that a notebook shows and plays.

        Args:
            count: how many pieces.
            seed: the same seed and request give the same pieces, and those that `diffmidi sample` gives.
            steps: evaluations of the denoiser for each window; by default the model's own, or the sampler's.
            length: "30 seconds", "8 bars", "64 notes", or as long as the "windows" or "pieces" that it was trained on;
                by default as the model has it.
            sampler: the name of another sampler.
            options: of the sampler.
            want: labels that the pieces are asked to have, as `diffmidi labels` lists them: {"key": "D minor"}.
            guidance: how closely they are followed, 1 by default; 0: as the model learned them.
            controls: rules that the pieces obey or come near to, by name; {"key": {"key": "D minor"}} with options. A
                class of your own stands for its name.
            classifiers: runs of `diffmidi train-classifier` for this model, whose labels can then be asked for too.
            on_step: told (done, total) after each step; total is None where no one knows how many it takes. By default
                a notebook shows a bar, and nothing else is told.

        Raises UsageError for what cannot be.
        """
        asked: dict[str, Any] = {"want": want, "guidance": guidance, "controls": controls, "classifiers": classifiers}
        request = self.request(count, seed=seed, steps=steps, length=length, sampler=sampler, options=options, **asked)
        return Pieces(Piece(self.tokenizer.decode(ids, self.model.timeline)) for ids in self.draw(request, on_step))

    def film(self, **asked: Any) -> Film:
        """One piece as `sample` draws it, with the steps in which it came as an animated picture.

        `asked` is what `sample` takes: seed, steps, length, want, ... The piece is `film.piece`.
        Raises UsageError for a model that is not masked, and for a piece that is longer than the model sees at once.
        """
        from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion
        from diffmidi_core.show.film import film

        if not isinstance(self.process, MaskedDiffusion):
            raise UsageError("a film shows how masked tokens are revealed: choose a model of process masked.")
        states = list[Ids]()
        with self._telling(asked.pop("on_step", None)) as on_step:
            computing = Computing(self._autocast, on_step=on_step, on_state=lambda z: states.append(z.cpu().numpy()))
            (ids,) = (each.ids for some in pieces(self.model, self.request(1, **asked), computing) for each in some)
        return film(self.tokenizer, self.model.timeline, states, ids)

    def request(
        self,
        count: int = 1,
        *,
        seed: int = 0,
        steps: int | None = None,
        length: str | None = None,
        sampler: str | None = None,
        options: Mapping[str, Any] | None = None,
        want: Mapping[str, str] | None = None,
        guidance: float | None = None,
        controls: Chosen = (),
        tries: int | None = None,
        redraws: int | None = None,
        classifiers: Sequence[str | Path] = (),
    ) -> Request:
        """What `sample` would ask of the model, checked and with every default filled in.

        `tries` and `redraws` say how hard what controls judge is looked for, as in `diffmidi sample`.
        """
        given: dict[str, Any] = {"sample.count": count, "seed": seed, "sample.steps": steps, "sample.length": length}
        given |= {"want": want, "guidance": guidance, "control": [*map(spec_of, controls)] or None}
        given |= {"sample.tries": tries, "sample.redraws": redraws}
        flags = {name: value for name, value in (given | {"sampler": sampler}).items() if value is not None}
        assignments = [f"sampler.{name}={json.dumps(value)}" for name, value in (options or {}).items()]
        assignments += control_options(controls)
        found = asked_classifiers(
            [Path(each) for each in classifiers], self.model.manifest, self.model.path, warnings.warn
        )
        return self.model.request(flags, assignments, defaults=self.defaults, classifiers=found)

    def draw(self, request: Request, on_step: OnStep | None = None) -> list[Ids]:
        """The pieces of a request as ids, without specials: `tokenizer.to_tokens` shows them, and `tokenizer.decode`
        makes music of them, with `model.timeline` at the tempo and in the metre of the training music.
        """
        with self._telling(on_step) as on_step:
            computing = Computing(self._autocast, on_step=on_step)
            return [piece.ids for some in pieces(self.model, request, computing) for piece in some]

    def redraw(
        self,
        music: Score | str | Path,
        *,
        free: Sequence[Role] = ("velocity",),
        seed: int = 0,
        steps: int | None = None,
        sampler: str | None = None,
        options: Mapping[str, Any] | None = None,
        on_step: OnStep | None = None,
    ) -> Piece:
        """A piece with some of what its notes are drawn anew, by default how loud they are; everything else stays.

        Args:
            music: a score, or a MIDI file. What the tokenizer does not tell, such as who plays what, is not given back.
            free: what is drawn: "velocity", "pitch", "duration", "time", as far as the model has tokens for just that.
            seed, steps, sampler, options, on_step: as in `sample`.

        Raises UsageError for what this model cannot draw by itself, DiffmidiError where the file cannot be read, or
        holds nothing that the model has tokens for.
        """
        from diffmidi_core.draw.redraw import redraw

        piece = music if isinstance(music, Score) else read_midi(Path(music))
        encoded = self.tokenizer.encode_piece(piece)
        if not len(encoded.ids):
            raise DiffmidiError("the music holds nothing that this model has tokens for: choose notes of a piano.")
        request = self.request(1, seed=seed, steps=steps, sampler=sampler, options=options)
        computing = Computing(self._autocast, on_step=on_step)
        return Piece(self.tokenizer.decode(redraw(self.model, encoded.ids, free, request, computing), encoded.timeline))

    def takes(self, asked: Asked, request: Request, on_step: OnStep | None = None) -> Pieces[Take]:
        """The answers to what is asked of a file of the user's, the best first; see `diffmidi_core.steer.asked`."""
        from diffmidi_core.steer.infill import takes
        from diffmidi_core.steer.order import best_first

        with self._telling(on_step, "bars") as on_step:
            drawn = takes(self.model, asked, request, Computing(self._autocast, on_step=on_step))
            found = [take for some in drawn for take in some]
        return Pieces(best_first(self.model, asked, request, found, self._autocast), "Take")

    def score(
        self,
        music: Score | str | Path,
        *,
        exact: bool = False,
        order: Sequence[str] = (),
        levels: int | None = SCORE_LEVELS,
    ) -> PieceScore:
        """The bits of a piece: in all, per note, per token, by type of token, and note by note.

        Args:
            music: a score, or a MIDI file.
            exact: the likelihood itself instead of its bound, by revealing token after token: slower, and nothing is
                drawn.
            order: types of tokens, such as ("pitch", "duration"), in whose order they are then revealed; by default as
                they stand in the text.
            levels: noise levels of the bound that are drawn for each window, at least; None: all of them. How far off
                the figure may be by that is its `error`.

        Raises DiffmidiError where the file cannot be read, or holds no note that the tokenizer can tell, and for what
        is `exact` where the model has a bound only.
        """
        from diffmidi_core.judge.score import score

        return score(self.model, music, exact=exact, order=order, levels=levels, autocast=self._autocast)

    def push_to_hub(self, name: str, *, private: bool = False, license: str | None = None) -> str:
        """Publish the model as "user/name" on the Hugging Face Hub and return its address.

        A run is exported first, at the checkpoint that this pipeline opened. `license` is that of the music it was
        trained on. Raises DiffmidiError where the Hub cannot be reached or does not let you.
        """
        from diffmidi_core.publish.hub import publish
        from diffmidi_core.saved.manifest import is_run

        which = self.model.step if is_run(self.model.path) else None
        return publish(self.model.path, name, which=which, private=private, license=license)

    def __repr__(self) -> str:
        from diffmidi_core.show.summary import summary

        title, known = summary(self.model, self.device)
        return "\n".join([title, *(f"  {name:8} {value}" for name, value in known.items())])

    def _repr_html_(self) -> str:
        from diffmidi_core.show.inline import facts
        from diffmidi_core.show.summary import summary

        return facts(*summary(self.model, self.device))

    def _telling(self, on_step: OnStep | None, what: str = "") -> AbstractContextManager[OnStep | None]:
        """Who is told of steps; where nobody asked to be, a bar in a notebook."""
        from diffmidi_core.show.notebook import told

        return told(on_step, what or ("bars" if self.tokenizer.plan else "reverse steps"))

    @cached_property
    def _precision(self) -> str:
        return resolve_precision(self.model.precision)

    def _autocast(self) -> AbstractContextManager[None]:
        return autocast(self._precision, self.device)
