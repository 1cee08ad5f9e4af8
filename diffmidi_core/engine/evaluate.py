"""evaluate: every chosen metric, on held-out windows and on the samples."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from diffmidi_core.contracts.metric import Figure, Metric, Row, Sample, TrainingMusic, WindowBits, named
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.engine.build import build
from diffmidi_core.engine.checkpoint import Which
from diffmidi_core.engine.likelihood import samples_of, window_bits
from diffmidi_core.engine.sample import load_process
from diffmidi_core.engine.samples import read_samples
from diffmidi_core.engine.session import Session
from diffmidi_core.files import write_json

WHOLE = 0.75
"""Windows are cut at note boundaries, so that they fall a little short of the length that samples have exactly."""


def evaluate(session: Session, *, which: Which = None) -> dict[str, Any]:
    """Measure, write figures.json and return it: metric name to figure."""
    session.begin("evaluate")
    metrics: dict[str, Metric] = {part.name: build("metric", part) for part in session.config.metrics}
    subjects = {metric.subject for metric in metrics.values()}
    config, tokenizer = session.config, session.tokenizer
    dataset = TokenDataset(session.folder.data, tokenizer, length=config.length)
    training = TrainingMusic(
        [dataset.name(piece) for piece in dataset.train_pieces],
        lambda number: tokenizer.decode(dataset.piece(dataset.train_pieces[number])),
    )
    windows = dataset.heldout(config.evaluate.windows, seed=config.seed)
    if not windows:
        session.hooks.warn("there is no held-out music (one piece only), so nothing can be said about likelihood.")
    items: dict[str, list[WindowBits] | list[Sample]] = {}
    reference: list[Sample] = []
    names: list[str] = []
    measured: int | None = None
    if "likelihood" in subjects:
        process, measured = load_process(session, which)
        items["likelihood"] = window_bits(
            session, process, dataset, windows, levels=config.evaluate.levels, training=training
        )
    if "samples" in subjects:
        drawn = read_samples(session.folder.samples, tokenizer)
        names = [path.stem for path, _ in drawn]
        items["samples"] = [Sample(ids, tokenizer.decode(ids), tokenizer, training) for _, ids in drawn]
        reference = samples_of(session, dataset, _as_long_as_samples(session, windows), training)
    figures: dict[str, Figure | None] = {}
    of_sample: dict[str, dict[str, Row]] = {name: {} for name in names}
    for name, metric in metrics.items():
        rows = [metric.measure(item) for item in items[metric.subject]]
        if metric.subject == "samples":
            for sample, row in zip(names, rows, strict=True):
                of_sample[sample][name] = row
            figures |= named(name, metric.summarise(rows, [metric.measure(item) for item in reference]))
        else:
            figures |= named(name, metric.summarise(rows))
    said = {name: None if figure is None else asdict(figure) for name, figure in figures.items()}
    if session.accelerator.is_main_process:
        about = {"checkpoint": measured, "seed": config.seed, "figures": said, "samples": of_sample}
        write_json(session.folder.figures_file, about)
    session.end("evaluate", said)
    return said


def _as_long_as_samples(session: Session, windows: list[Window]) -> list[Window]:
    """Whole windows: the last of a piece may be a few words, and much that is measured depends on length."""
    whole = [window for window in windows if window.end - window.start >= WHOLE * session.config.length]
    if windows and not whole:
        session.hooks.warn(
            f"no held-out piece is as long as the samples ({session.config.length} words), so there is nothing to "
            "compare the samples with: choose a smaller --length."
        )
    return whole
