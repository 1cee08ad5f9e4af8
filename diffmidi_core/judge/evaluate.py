"""evaluate: every chosen metric, on held-out windows and on the samples beside held-out music of their length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from diffmidi_core.contracts.metric import Figure, Metric, Row, Sample, TrainingMusic, WindowBits, named
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.draw.sample import load_process
from diffmidi_core.draw.samples import read_record, read_samples
from diffmidi_core.files import write_json
from diffmidi_core.judge.likelihood import window_bits
from diffmidi_core.judge.music import WHOLE, samples_of, training_music
from diffmidi_core.run.build import build
from diffmidi_core.run.checkpoint import Which
from diffmidi_core.run.session import Session


def evaluate(session: Session, *, which: Which = None) -> dict[str, Any]:
    """Measure, write figures.json and return its figures: name to figure.

    figures.json also holds each sample's own rows, by sample and metric.
    """
    session.begin("evaluate")
    config = session.config
    metrics: dict[str, Metric] = {part.name: build("metric", part) for part in config.metrics}
    subjects = {metric.subject for metric in metrics.values()}
    dataset = TokenDataset(session.folder.data, session.tokenizer, length=config.length)
    windows = dataset.heldout(config.evaluate.windows, seed=config.seed)
    if not windows:
        session.hooks.warn("there is no held-out music (one piece only), so nothing can be said about likelihood.")
    training = training_music(dataset, session.tokenizer)
    bits, step = _heldout_bits(session, dataset, windows, training, which) if "likelihood" in subjects else ([], None)
    samples, reference = _music(session, dataset, windows, training) if "samples" in subjects else ({}, [])

    figures: dict[str, Figure | None] = {}
    rows: dict[str, list[Row]] = {}
    for name, metric in metrics.items():
        if metric.subject == "likelihood":
            summary = metric.summarise([metric.measure(window) for window in bits])
        else:
            rows[name] = [metric.measure(sample) for sample in samples.values()]
            summary = metric.summarise(rows[name], [metric.measure(window) for window in reference])
        figures |= named(name, summary)

    said = {name: None if figure is None else asdict(figure) for name, figure in figures.items()}
    by_sample = {stem: {name: row[index] for name, row in rows.items()} for index, stem in enumerate(samples)}
    if session.accelerator.is_main_process:
        found = {"checkpoint": step, "seed": config.seed, "figures": said, "samples": by_sample}
        write_json(session.folder.figures_file, found)
    session.end("evaluate", said)
    return said


def _heldout_bits(
    session: Session, dataset: TokenDataset, windows: Sequence[Window], training: TrainingMusic, which: Which
) -> tuple[list[WindowBits], int]:
    process, step = load_process(session, which)
    levels = session.config.evaluate.levels
    return window_bits(session, process, dataset, windows, levels=levels, training=training), step


def _music(
    session: Session, dataset: TokenDataset, windows: Sequence[Window], training: TrainingMusic
) -> tuple[dict[str, Sample], list[Sample]]:
    """The samples by name, and held-out windows as long as they typically are: all but the short end of a piece."""
    tokenizer, config = session.tokenizer, session.config
    drawn = read_samples(session.folder.samples, tokenizer)
    samples = {
        path.stem: Sample(ids, tokenizer.decode(ids), tokenizer, training, read_record(path)) for path, ids in drawn
    }
    length = max(1, int(np.median([len(ids) for _, ids in drawn])))
    if WHOLE * config.length <= length <= config.length:
        length = config.length
    else:
        dataset = TokenDataset(session.folder.data, tokenizer, length=length)
        windows = dataset.heldout(config.evaluate.windows, seed=config.seed)
    whole = [window for window in windows if window.end - window.start >= WHOLE * length]
    if windows and not whole:
        session.hooks.warn(
            f"no held-out piece is as long as the samples ({length} words), so they are compared with nothing: "
            "draw shorter ones for that (--notes, --bars, --seconds)."
        )
    return samples, samples_of(dataset, whole, tokenizer, training)
