"""Judging a draw: its pieces by every metric of music, beside music of their length that was not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from diffmidi_core.contracts.metric import Sample
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.files import write_json
from diffmidi_core.hooks import Hooks
from diffmidi_core.judge.metrics import Measured
from diffmidi_core.judge.music import WHOLE, ReferenceMusic
from diffmidi_core.judge.settings import Judging
from diffmidi_core.machine.ranks import is_main

if TYPE_CHECKING:
    from diffmidi_core.saved.draw import DrawFolder


def judge_draw(
    hooks: Hooks, draw: DrawFolder, tokenizer: Tokenizer, music: ReferenceMusic | None, judging: Judging
) -> dict[str, Any]:
    """Every chosen metric of music, on the pieces of one draw; the main process writes it into the draw's folder.

    Args:
        hooks: told of what the user should know.
        draw: what was drawn, of one checkpoint and by one sampler.
        tokenizer: the model's.
        music: what the pieces are compared with; None where it is not at hand, and then no figure has a reference.
        judging: by which metrics, beside how many windows at most.

    Returns: what was asked for (`request`), which share of which data it is beside, `figures`, and by piece the row of
    each metric. Raises DiffmidiError where the draw holds no piece.
    """
    measured, pieces, beside = music_figures(hooks, draw, tokenizer, music, judging)
    stored = {
        "request": draw.request().model_dump(mode="json"),
        **(music.about() if music is not None else {}),
        "windows": beside,
        "figures": measured.figures,
        "pieces": measured.by_item(pieces),
        "versions": judging.metrics.versions(),
    }
    if is_main():
        write_json(draw.figures_file, stored)
    return stored


def music_figures(
    hooks: Hooks, draw: DrawFolder, tokenizer: Tokenizer, music: ReferenceMusic | None, judging: Judging
) -> tuple[Measured, list[str], int]:
    """What the metrics of music measure of a draw; the names of its pieces; and beside how many windows."""
    training = music.training if music is not None else None
    pieces = draw.pieces()
    samples = []
    for piece in pieces:
        ids = tokenizer.to_ids(piece.tokens)
        samples.append(Sample(ids, tokenizer.decode(ids), tokenizer, training, piece.told))
    names = judging.metrics.on("samples")
    reference = _beside(hooks, samples, music, judging) if music is not None and names else []
    name = music.name if music is not None else ""
    measured = judging.metrics.measure(names, samples, reference, music=name)
    return measured, [piece.stem for piece in pieces], len(reference)


def _beside(hooks: Hooks, samples: list[Sample], music: ReferenceMusic, judging: Judging) -> list[Sample]:
    """Windows of the music as long as the pieces typically are: all but the short ends of its own pieces."""
    length = max(1, int(np.median([len(sample.ids) for sample in samples])))
    if music.tokenizer.plan:
        bars = int(np.median([len(music.tokenizer.starts(sample.ids)) for sample in samples]))
        most = max(len(sample.ids) for sample in samples)
        music = music.of_length(max(most, music.length), max(bars, 1))
    elif not WHOLE * music.length <= length <= music.length:
        music = music.of_length(length)
    windows = music.whole_windows(judging.evaluate.windows)
    if not windows and music.windows(1):
        hooks.warn(
            f"no piece that was not trained on is as long as those drawn ({length} tokens), so they are compared with "
            "nothing: draw shorter ones for that (--notes, --bars, --seconds)."
        )
    return music.samples(windows)
