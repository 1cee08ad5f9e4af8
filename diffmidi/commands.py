"""What a script calls: commands that train, judge and compare as functions, and reading a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffmidi_core.judge.judged import Figures
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
            no_renderer=["wav"], no_hook=["console"] to hear nothing on the terminal. A class of your own stands where a
            part's name does (schedule=Slope).

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
) -> Figures:
    """Measure a run, or any MIDI files, as `diffmidi evaluate` does; return every figure by its name.

    A figure has title, value, unit, count, error, interval and the same of the music that it is compared with
    (reference); it is None where there was nothing to measure.

    Args:
        run: the run whose checkpoint is measured on music it was not trained on, and its newest draw beside that music.
        samples: or a folder of MIDI files that anybody made,
        against: which are compared with a run, or with a folder of MIDI files.
        options: what -o sets, by dotted name: {"evaluate.windows": 32}.
        flags: every other flag of `diffmidi evaluate --help`: checkpoint=400, draw="2", data="other", metric=["seam"].
            A class of your own may stand where a metric's name does: evaluate(run, metric=Leap)[Leap].

    Raises DiffmidiError, a sentence for people.
    """
    from diffmidi_core.cli.call import call
    from diffmidi_core.judge.judged import Figures, StoredFigure

    found = call("evaluate", {"run": run, "samples": samples, "against": against, **flags}, options)
    return Figures({name: None if each is None else StoredFigure.model_validate(each) for name, each in found.items()})


def compare(runs: Iterable[str | Path], **flags: Any) -> list[dict[str, Any]]:
    """Show runs side by side, as `diffmidi compare` does; return a row for each, as pandas.DataFrame takes them.

    A row has the run's name, its `group` (runs of one group differ by their seed alone), the settings that not all have
    alike, what training took, and every figure with its interval (bound_bpw, bound_bpw.low, bound_bpw.high).

    Args:
        runs: their folders.
        flags: every flag of `diffmidi compare --help`: figure=["bound_bpw"], md="table.md", transpose=True.

    Raises DiffmidiError, a sentence for people.
    """
    from diffmidi_core.cli.call import call

    rows: list[dict[str, Any]] = call("compare", {"runs": [*runs], **flags})
    return rows


def train_classifier(
    run: str | Path,
    label: str | None = None,
    out: str | Path | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Train a classifier that leads a run's model to a label, as `diffmidi train-classifier` does; return its folder.

    `Pipeline.sample(classifiers=[folder], want={label: value})` follows it.

    Args:
        run: the run of the model.
        label: what it tells: "key", "density", ..., a column of prepare.labels, or "folder".
        out: the folder of the new run; None: runs/RUN-LABEL-N.
        options: what -o sets, by dotted name.
        flags: every other flag of `diffmidi train-classifier --help`: iterations=400, checkpoint="last".

    Raises DiffmidiError, a sentence for people.
    """
    from diffmidi_core.cli.call import call

    folder: Path = call("train-classifier", {"run": run, "label": label, "out": out, **flags}, options)
    return folder
