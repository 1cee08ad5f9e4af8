"""Judging a model on other music than its own, which is prepared in passing; its figures are kept apart."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from diffmidi_core.contracts.metric import TrainingMusic
from diffmidi_core.contracts.source import Source
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.chosen import Chosen
from diffmidi_core.data.prepare import Choices, Report, Running, prepare
from diffmidi_core.data.sustained import Sustained
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import read_json, write_json
from diffmidi_core.hooks import Hooks
from diffmidi_core.judge.checkpoint import about, figures_file, likelihood
from diffmidi_core.judge.draw import music_figures
from diffmidi_core.judge.metrics import Figures
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.judge.settings import Judging
from diffmidi_core.machine.build import build, build_tokenizer
from diffmidi_core.machine.ranks import is_main, world_size
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.music.reading import printable
from diffmidi_core.music.tracks import PIANO
from diffmidi_core.sections import Part

if TYPE_CHECKING:
    from diffmidi_core.draw.model import Model
    from diffmidi_core.saved.draw import DrawFolder
    from diffmidi_core.saved.manifest import Manifest


def judge_other(
    work: Surroundings,
    model: Model,
    data: str | None,
    source: Part,
    judging: Judging,
    *,
    draw: DrawFolder | None = None,
    training: TrainingMusic | None = None,
    sustain: bool = False,
    tracks: str = PIANO,
    to: Path | None = None,
) -> dict[str, Any]:
    """Likelihood on all of the other music, and a draw beside it; neither the run nor its figures are changed.

    Args:
        work: where to compute, and whom to tell.
        model: the checkpoint, opened.
        data, source: the other music, as `prepare` takes it.
        judging: by which metrics, on how many windows.
        draw: pieces of this model that are compared with the other music; None: only likelihood is measured.
        training: what the model was trained on, for the metrics that ask whether a piece is new.
        sustain: notes are as long as the pedal holds them, as the model's own music was prepared.
        tracks: which tracks are taken, as for that.
        to: the folder that the main process writes the answer into, as `step-000400.OTHER.json`; None: nowhere.

    Returns: what `judge_checkpoint` and `judge_draw` return, together, and what was measured on (`data`).
    Raises DiffmidiError where nothing of the other music can be used.
    """
    with _prepared(work.hooks, model, data, source, sustain=sustain, tracks=tracks) as (folder, report):
        music = ReferenceMusic(
            folder,
            model.tokenizer,
            length=model.length,
            bars=model.bars,
            everything=True,
            training=training,
            name=_called(data, source),
        )
        for remark in _remarks(report):
            work.hooks.warn(remark)
        measured, windows = likelihood(work, model, music, judging)
        figures: Figures = dict(measured.figures)
        stored: dict[str, Any] = {
            **about(model),
            "data": _named(data, source) | {"pieces": report.kept, "refused": report.refusals},
            **music.about(),
            "windows": windows,
        }
        if draw is not None:
            drawn, pieces, beside = music_figures(work.hooks, draw, model.tokenizer, music, judging)
            figures |= drawn.figures
            stored["draw"] = {
                "name": draw.path.name,
                "request": draw.request().model_dump(mode="json"),
                "beside": beside,
            }
            stored["pieces"] = drawn.by_item(pieces)
    stored |= {"figures": figures, "versions": judging.metrics.versions()}
    if to is not None and is_main():
        write_json(_file(to, model.step, data, source), stored)
    return stored


@contextmanager
def _prepared(
    hooks: Hooks, model: Model, data: str | None, source: Part, *, sustain: bool, tracks: str
) -> Iterator[tuple[Path, Report]]:
    """A token dataset of the other music while the block lasts. Each process makes its own: they may share no disk."""
    music, tokenizer = _source(source, data, sustain, tracks), model.tokenizer
    with tempfile.TemporaryDirectory(prefix="diffmidi-") as temporary:
        folder, saved = Path(temporary) / "data", Path(temporary) / "tokenizer"
        tokenizer.save(saved)
        report = prepare(
            music,
            tokenizer,
            folder,
            Choices(heldout=0.0, near_duplicates="ignore"),
            hooks=_Progress(hooks),
            running=Running(
                workers=0 if world_size() == 1 else 1,
                make=partial(_parts, source, data, sustain, tracks, model.manifest, saved),
            ),
        )
        yield folder, report


def _parts(
    source: Part, data: str | None, sustain: bool, tracks: str, manifest: Manifest, saved: Path
) -> tuple[Source, Tokenizer]:
    """What a worker process reads and encodes with: the same parts, found by their names again."""
    return _source(source, data, sustain, tracks), build_tokenizer(manifest, saved)


def _source(part: Part, data: str | None, sustain: bool, tracks: str) -> Source:
    source: Source = Chosen(build("source", part, data=data), tracks)
    return Sustained(source) if sustain else source


class _Progress(Hooks):
    """Passes on how far the work is, and nothing else."""

    def __init__(self, hooks: Hooks) -> None:
        super().__init__()
        self._hooks = hooks

    def emit(self, event: str, **values: Any) -> dict[str, Any]:
        """To the listeners, if it is progress."""
        return self._hooks.emit(event, **values) if event == "progress" else {}


def _remarks(report: Report) -> list[str]:
    """What is to be known of the other music beside figures on it."""
    if not report.refusals:
        return []
    first = next(sentences[0] for sentences in report.refused.values())
    return [f"{report.refusals} of the {report.found} pieces cannot be used and are not measured. The first: {first}"]


def _named(data: str | None, source: Part) -> dict[str, str | None]:
    """What tells this music from other music: a folder by its whole path, wherever the command is given."""
    return {"data": str(Path(data).resolve()) if data and Path(data).exists() else data, "source": source.label}


def _called(data: str | None, source: Part) -> str:
    """What the other music is called in few words."""
    return printable(PurePath(data).name) if data else source.name


def _file(folder: Path, step: int, data: str | None, source: Part) -> Path:
    """The file that holds figures on these data, or the first free one of their name: others may be called alike."""
    name = re.sub(r"[^\w.-]+", "-", PurePath(data).name if data else source.name).strip("-.") or "other"
    number = 1
    while True:
        path = figures_file(folder, step, name if number == 1 else f"{name}-{number}")
        if not path.exists() or _is_of(path, data, source):
            return path
        number += 1


def _is_of(path: Path, data: str | None, source: Part) -> bool:
    try:
        known = read_json(path)["data"]
        return all(known[key] == value for key, value in _named(data, source).items())
    except (DiffmidiError, KeyError, TypeError):
        return False
