"""render: the pieces of a draw as sound and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diffmidi_core.config import default_parts, filled
from diffmidi_core.contracts.renderer import Renderer
from diffmidi_core.errors import BrokenPluginError, DiffmidiError, RefusedError
from diffmidi_core.machine.build import blamed, build
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.music.notes import Score
from diffmidi_core.music.reading import read_midi
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.sections import Part

WAV = ".wav"


def render(work: Surroundings, draw: DrawFolder, renderers: Sequence[Part], *, most: int | None = None) -> list[Path]:
    """Write the first `most` pieces (None: all) with each renderer, and return the paths.

    A renderer that fails is named and left out; the others go on. So they do where one refuses a piece.
    """
    pieces = draw.pieces()[:most]
    work.tell_begin("render", draw.path, {}, ", ".join(part.label for part in renderers))
    using: list[tuple[Part, Renderer]] = []
    for part in renderers:
        try:
            using.append((part, build("renderer", part)))
        except BrokenPluginError as error:
            work.hooks.warn(f"{error} It is left out.")
    paths: list[Path] = []
    for done, piece in enumerate(pieces):
        work.hooks.emit("progress", what="pieces", done=done, total=len(pieces))
        score = read_midi(draw.path / f"{piece.stem}.mid")
        for part, renderer in list(using):
            path = draw.path / f"{piece.stem}{renderer.suffix}"
            try:
                with blamed("renderer", part, f"rendering piece {piece.number}"):
                    renderer.render(score, path, title=f"Draw {draw.path.name}, piece {piece.number}")
            except BrokenPluginError as error:
                work.hooks.warn(f"{error} It is left out.")
                using.remove((part, renderer))
            except RefusedError as error:
                work.hooks.warn(f"{part.label} leaves out piece {piece.number}: {error}")
            else:
                paths.append(path)
    work.hooks.emit("progress", what="pieces", done=len(pieces), total=len(pieces))
    work.hooks.emit("samples_written", paths=paths)
    work.tell_end("render", draw.path)
    return paths


def write_wav(score: Score, path: Path) -> None:
    """Write a score as sound, by that of the default renderers which writes WAV files.

    Raises DiffmidiError where none does, RefusedError where it refuses the score, BrokenPluginError where it fails.
    """
    for part in default_parts("renderer"):
        renderer: Renderer = build("renderer", filled("renderer", part))
        if renderer.suffix == WAV:
            with blamed("renderer", part, "making sound"):
                return renderer.render(score, path)
    raise DiffmidiError("no installed renderer of the default ones writes WAV files, so nothing can be heard.")


def render_first(draw: DrawFolder, renderers: Sequence[Part], *, most: int = 1, title: str = "") -> list[Path]:
    """The first `most` pieces with each renderer, telling nobody. Raises BrokenPluginError for one that fails.

    `title` says whose they are; by default the draw's.
    """
    paths = []
    for piece in draw.pieces()[:most]:
        score = read_midi(draw.path / f"{piece.stem}.mid")
        for part in renderers:
            renderer: Renderer = build("renderer", part)
            path = draw.path / f"{piece.stem}{renderer.suffix}"
            with blamed("renderer", part, f"rendering piece {piece.number}"):
                renderer.render(score, path, title=f"{title or f'Draw {draw.path.name}'}, piece {piece.number}")
            paths.append(path)
    return paths
