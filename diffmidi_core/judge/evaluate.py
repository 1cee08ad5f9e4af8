"""evaluate: a checkpoint by how likely music is under it, and a draw by its music; each has figures of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diffmidi_core.draw.model import Model
from diffmidi_core.judge.checkpoint import judge_checkpoint
from diffmidi_core.judge.draw import judge_draw
from diffmidi_core.judge.metrics import Metrics
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.judge.settings import Judging
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.numbers import counted
from diffmidi_core.saved.checkpoint import check_data
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.sections import EvaluateConfig, Part


def evaluate(
    work: Surroundings,
    run: RunFolder,
    model: Model,
    draw: DrawFolder | None,
    metrics: Sequence[Part],
    options: EvaluateConfig,
) -> dict[str, Any]:
    """Judge a checkpoint of a run, and a draw of it where there is one; return all figures by name.

    They are written to figures/step-NNNNNN.json of the run and to figures.json of the draw. Raises DiffmidiError where
    the run's music is not what the checkpoint was trained on.
    """
    music = ReferenceMusic(run.data, model.tokenizer, length=model.length, bars=model.bars)
    check_data(model.manifest, music.dataset)
    judging = Judging(Metrics(metrics, work.hooks.warn), options)
    work.tell_begin("evaluate", run.path, {}, about(model.step, draw, len(metrics)))
    figures = dict(judge_checkpoint(work, model, music, judging, to=run.figures)["figures"])
    if draw is not None:
        figures |= judge_draw(work.hooks, draw, model.tokenizer, music, judging)["figures"]
    work.tell_end("evaluate", run.path, figures)
    return figures


def about(step: int, draw: DrawFolder | None, metrics: int) -> str:
    """What is judged, in a few words."""
    return f"checkpoint {step}{f' and draw {draw.path.name}' if draw else ''} by {counted(metrics, 'metric')}"
