"""Judging a checkpoint: how likely music is under it that it was not trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from diffmidi_core.files import write_json
from diffmidi_core.judge.exact import exact_bits
from diffmidi_core.judge.likelihood import levels_for, window_bits
from diffmidi_core.judge.metrics import Measured
from diffmidi_core.judge.music import ReferenceMusic
from diffmidi_core.judge.settings import Judging
from diffmidi_core.machine.build import blamed
from diffmidi_core.machine.ranks import is_main
from diffmidi_core.machine.session import Surroundings

if TYPE_CHECKING:
    from diffmidi_core.draw.model import Model


def figures_file(folder: Path, step: int, other: str = "") -> Path:
    """Where the figures of a checkpoint lie: `folder/step-000400.json`, and on OTHER music `step-000400.OTHER.json`."""
    return folder / f"step-{step:06d}{'.' if other else ''}{other}.json"


def judge_checkpoint(
    work: Surroundings, model: Model, music: ReferenceMusic, judging: Judging, *, to: Path | None = None
) -> dict[str, Any]:
    """Every chosen metric of likelihood, on windows that follow from the music alone, under noise of a fixed seed.

    Every rank takes its share of the windows, and returns the same.

    Args:
        work: where to compute, and whom to tell.
        model: the checkpoint, opened.
        music: what it is judged on.
        judging: by which metrics, on how many windows.
        to: the folder that the main process writes the answer into (`figures_file`); None: nowhere.

    Returns: which checkpoint of which weights, on which share of which data, how many windows, `figures`, and the
    versions of what measured them.
    """
    measured, count = likelihood(work, model, music, judging)
    stored = {
        **about(model),
        **music.about(),
        "windows": count,
        "figures": measured.figures,
        "versions": versions(judging),
    }
    if to is not None and is_main():
        write_json(figures_file(to, model.step), stored)
    return stored


def likelihood(work: Surroundings, model: Model, music: ReferenceMusic, judging: Judging) -> tuple[Measured, int]:
    """What the metrics of likelihood measure, and over how many windows."""
    names = judging.metrics.on("likelihood")
    windows = music.windows(judging.evaluate.windows)
    if not names:
        return Measured(), 0
    if not windows:
        work.hooks.warn(
            "there is no music that was not trained on (one piece only), so the likelihood cannot be measured: "
            "add more music, or judge by `diffmidi evaluate RUN --data OTHER`."
        )
    elif music.split == "heldout":
        work.hooks.warn(
            "no piece was kept for the test (prepare.test), so the model is judged on held-out music, by which its "
            "best checkpoint was chosen: its figures are a little better than they should be."
        )
    with blamed("process", model.parts["process"], "estimating its bound"):
        process = model.process.to(work.accelerator.device)
        few = windows[: judging.evaluate.exact_windows] if judging.evaluate.exact else []
        exact = exact_bits(work, model, music, few, judging.evaluate) if few else []
        rows = window_bits(
            work,
            process,
            music.dataset,
            windows,
            levels=levels_for(judging.evaluate.levels, len(windows)),
            batch_size=judging.evaluate.batch_size,
            training=music.training,
        )
    rows = [replace(row, exact=found) for row, found in zip(rows, exact, strict=False)] + rows[len(exact) :]
    return judging.metrics.measure(names, rows, music=music.name), len(windows)


def about(model: Model) -> dict[str, Any]:
    """Which weights figures are of."""
    return {"checkpoint": model.step, "weights": model.fingerprint}


def versions(judging: Judging) -> dict[str, str]:
    """What figures were measured with: torch, diffmidi, and the packages of the metrics."""
    return {"torch": str(torch.__version__), **judging.metrics.versions()}
