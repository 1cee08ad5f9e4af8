"""What a script calls: the commands `diffmidi run` and `diffmidi evaluate` as functions, and reading a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffmidi_core.judge.judged import StoredFigure
    from diffmidi_core.pieces import Piece


def read_midi(path: str | Path) -> Piece:
    """Read a MIDI file: a score that saves itself, and that a notebook shows and plays.

    Raises RefusedError, a sentence for people, for what is no MIDI file, or holds no note to be played.
    """
    from diffmidi_core.music import reading
    from diffmidi_core.pieces import Piece

    return Piece(reading.read_midi(Path(path).expanduser()))


def run(
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    config: str | Path | None = None,
    resume: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Prepare, train, sample, evaluate, render and report, as `diffmidi run` does; return the run's folder.

    Args:
        data: a folder of MIDI files, FILE.parquet or "hub:NAME"; None: music21's Bach chorales.
        out: the folder of the new run; None: runs/TOKENIZER-BACKBONE-N.
        config: a config.json to begin from.
        resume: a run to go on with.
        options: what -o sets, by dotted name: {"backbone.size": "tiny", "tokenizer.grid": 24}.
        flags: every other flag of `diffmidi run --help`, with _ for -: iterations=400, tokenizer="remi", bars=8,
            no_renderer=["wav"], no_hook=["console"] to hear nothing on the terminal.

    Raises DiffmidiError, a sentence for people: UsageError before anything is begun, StoppedError after Ctrl-C.
    """
    from diffmidi_core.cli.call import call

    given = {"data": data, "out": out, "config": config, "resume": resume, **flags}
    folder: Path = call("run", given, options)
    return folder


def evaluate(
    run: str | Path | None = None,
    *,
    samples: str | Path | None = None,
    against: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    **flags: Any,
) -> dict[str, StoredFigure | None]:
    """Measure a run, or any MIDI files, as `diffmidi evaluate` does; return every figure by its name.

    A figure has title, value, unit, count, error, interval and the same of the music that it is compared with
    (reference); it is None where there was nothing to measure.

    Args:
        run: the run whose checkpoint is measured on music it was not trained on, and its newest draw beside that music.
        samples: or a folder of MIDI files that anybody made,
        against: which are compared with a run, or with a folder of MIDI files.
        options: what -o sets, by dotted name: {"evaluate.windows": 32}.
        flags: every other flag of `diffmidi evaluate --help`: checkpoint=400, draw="2", data="other", metric=["seam"].

    Raises DiffmidiError, a sentence for people.
    """
    from diffmidi_core.cli.call import call
    from diffmidi_core.judge.judged import StoredFigure

    figures = call("evaluate", {"run": run, "samples": samples, "against": against, **flags}, options)
    return {name: None if each is None else StoredFigure.model_validate(each) for name, each in figures.items()}
