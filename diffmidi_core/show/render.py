"""render: every sample as sound and pictures."""

from __future__ import annotations

from pathlib import Path

from diffmidi_core.contracts.renderer import Renderer
from diffmidi_core.draw.samples import read_samples
from diffmidi_core.run.build import build
from diffmidi_core.run.session import Session


def render(session: Session) -> list[Path]:
    """Write each sample with each chosen renderer, and return the paths."""
    session.begin("render")
    renderers: list[Renderer] = [build("renderer", part) for part in session.config.renderers]
    samples = read_samples(session.folder.samples, session.tokenizer)
    paths: list[Path] = []
    for done, (words, ids) in enumerate(samples):
        session.hooks.emit("progress", what="samples", done=done, total=len(samples))
        score = session.tokenizer.decode(ids)
        for renderer in renderers:
            path = words.with_suffix(renderer.suffix)
            renderer.render(score, path, title=words.stem)
            paths.append(path)
    session.hooks.emit("progress", what="samples", done=len(samples), total=len(samples))
    session.hooks.emit("samples_written", paths=paths)
    session.end("render")
    return paths
