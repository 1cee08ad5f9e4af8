"""evaluate: what a run's checkpoint is worth, and a draw of it; each judged by itself, and each told from the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from diffmidi_core.judge.checkpoint import judge_checkpoint
from diffmidi_core.judge.draw import judge_draw
from diffmidi_core.judge.metrics import Figures, Judging, Metrics
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.run.folder import RunFolder
from diffmidi_core.run.session import Surroundings
from diffmidi_core.sections import EvaluateConfig, Part

if TYPE_CHECKING:
    from diffmidi_core.draw.folder import DrawFolder
    from diffmidi_core.draw.model import Model


def evaluate(
    work: Surroundings,
    run: RunFolder,
    model: Model,
    draw: DrawFolder | None,
    metrics: Sequence[Part],
    settings: EvaluateConfig,
) -> Figures:
    """Judge a checkpoint of a run, by its likelihood, and a draw of it, as music; nothing is written to its config.

    The checkpoint's figures go to `figures/step-000400.json` in the run, the draw's to `figures.json` in the draw, in
    the place of those of before. Returns both.
    """
    work.tell_begin("evaluate", run.path, settings.model_dump(mode="json"), _about(model, draw))
    judging = Judging(Metrics(metrics, work.hooks.warn), settings)
    music = ReferenceMusic(run.data, model.tokenizer, length=model.length)
    figures: Figures = dict(judge_checkpoint(work, model, music, judging, to=run.figures)["figures"])
    if draw is not None:
        figures |= judge_draw(work.hooks, draw, model.tokenizer, music, judging)["figures"]
    work.tell_end("evaluate", run.path, figures)
    return figures


def _about(model: Model, draw: DrawFolder | None) -> str:
    drawn = f", and draw {draw.path.name}" if draw is not None else ""
    return f"the checkpoint of iteration {model.step}{drawn}"
