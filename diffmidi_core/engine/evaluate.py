"""evaluate: every chosen metric, on held-out windows and on the samples."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from diffmidi_core.contracts.metric import Figure, Metric, Sample, WindowBits
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.engine.build import build
from diffmidi_core.engine.checkpoint import Which
from diffmidi_core.engine.likelihood import window_bits
from diffmidi_core.engine.sample import load_process
from diffmidi_core.engine.samples import read_samples
from diffmidi_core.engine.session import Session
from diffmidi_core.files import write_json


def evaluate(session: Session, *, which: Which = None) -> dict[str, Any]:
    """Measure, write figures.json and return it: metric name to figure."""
    session.begin("evaluate")
    metrics: dict[str, Metric] = {part.name: build("metric", part) for part in session.config.metrics}
    subjects = {metric.subject for metric in metrics.values()}
    items: dict[str, list[WindowBits] | list[Sample]] = {}
    step_measured: int | None = None
    if "likelihood" in subjects:
        items["likelihood"], step_measured = _heldout_bits(session, which)
    if "samples" in subjects:
        items["samples"] = [
            Sample(ids, session.tokenizer.decode(ids), session.tokenizer)
            for _, ids in read_samples(session.folder.samples, session.tokenizer)
        ]
    figures: dict[str, Figure | None] = {
        name: metric.summarise([metric.measure(item) for item in items[metric.subject]])
        for name, metric in metrics.items()
    }
    said = {name: None if figure is None else asdict(figure) for name, figure in figures.items()}
    if session.accelerator.is_main_process:
        write_json(
            session.folder.figures_file, {"checkpoint": step_measured, "seed": session.config.seed, "figures": said}
        )
    session.end("evaluate", said)
    return said


def _heldout_bits(session: Session, which: Which) -> tuple[list[WindowBits], int]:
    config = session.config
    dataset = TokenDataset(session.folder.data, session.tokenizer, length=config.length)
    process, step = load_process(session, which)
    windows = dataset.heldout(config.evaluate.windows, seed=config.seed)
    if not windows:
        session.hooks.warn("there is no held-out music (one piece only), so nothing can be said about likelihood.")
    return window_bits(session, process, dataset, windows, levels=config.evaluate.levels), step
