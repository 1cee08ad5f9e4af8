"""`diffmidi evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diffmidi_core.cli.options import CHECKPOINT, EVALUATE, collect, settings
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.errors import UsageError

if TYPE_CHECKING:
    from diffmidi_core.machine.session import Surroundings
    from diffmidi_core.saved.draw import DrawFolder
    from diffmidi_core.saved.folder import RunFolder
    from diffmidi_core.saved.manifest import Which
    from diffmidi_core.sections import EvaluateConfig, Part


@click.command("evaluate")
@click.argument("run", required=False, type=UserPath(), metavar="[RUN]")
@settings(EVALUATE)
@CHECKPOINT
@click.option("--draw", metavar="NAME", help="Which draw of the run to judge (default: the newest).")
@click.option("--samples", type=UserPath(), metavar="FOLDER", help="Judge these MIDI files instead.")
@click.option(
    "--against",
    type=UserPath(),
    metavar="RUN|FOLDER",
    help="With --samples: the run, or the folder of MIDI files, to compare them with.",
)
@click.option("--out", type=UserPath(), metavar="FILE.json", help="With --samples: write figures there.")
def command(
    run: Path | None,
    checkpoint: Which,
    draw: str | None,
    samples: Path | None,
    against: Path | None,
    out: Path | None,
    assignments: tuple[str, ...],
    **given: Any,
) -> dict[str, Any]:
    """Measure a checkpoint of RUN on music it was not trained on, and a draw beside that music.

    With --data OTHER on that music instead. With --samples FOLDER --against RUN|FOLDER any MIDI files, whoever made
    them.
    """
    flags = collect(given, assignments, EVALUATE)
    if samples is not None:
        _check_files(run, checkpoint, draw, against, flags)
        return _files(samples.expanduser(), against, out, flags, assignments)
    if run is None or against is not None or out is not None:
        raise UsageError("name the RUN whose checkpoint is judged, or --samples FOLDER --against RUN|FOLDER.")
    return _run(run.expanduser(), checkpoint, draw, flags, assignments)


def _check_files(run: Path | None, checkpoint: Which, draw: str | None, against: Path | None, flags: Any) -> None:
    if against is None:
        raise UsageError("--samples FOLDER needs something to compare with: add --against RUN, or a folder of music.")
    if run is not None or checkpoint is not None or draw is not None or {"data", "source"} & set(flags):
        raise UsageError("--samples judges files, not a run: leave out RUN, --checkpoint, --draw, --data and --source.")


def _files(
    samples: Path, against: Path | None, out: Path | None, flags: Any, assignments: tuple[str, ...]
) -> dict[str, Any]:
    from diffmidi_core.cli.drawing import chosen
    from diffmidi_core.cli.stopping import judging

    metrics, hooks = chosen(None, "metric", flags, assignments), chosen(None, "hook", flags, assignments)
    options = _options(None, flags, assignments)

    from diffmidi_core.judge.files import judge_files
    from diffmidi_core.judge.metrics import Metrics
    from diffmidi_core.machine.session import Surroundings

    assert against is not None
    work = Surroundings(hooks)
    work.tell_begin("evaluate", samples, {}, f"the files of {samples} beside {against}")
    to = out and out.expanduser()
    with judging(*([to] if to else [])):
        judged = judge_files(
            samples,
            against.expanduser(),
            Metrics(metrics, work.hooks.warn),
            hooks=work.hooks,
            windows=options.windows,
            out=to,
        )
    work.tell_end("evaluate", samples, judged["figures"])
    if out:
        click.echo(f"Wrote {out}.")
    return dict(judged["figures"])


def _run(run: Path, which: Which, name: str | None, flags: Any, assignments: tuple[str, ...]) -> dict[str, Any]:
    from diffmidi_core.cli.drawing import chosen
    from diffmidi_core.cli.stopping import judging
    from diffmidi_core.saved.folder import RunFolder

    folder = RunFolder.open(run)
    metrics, hooks = chosen(folder, "metric", flags, assignments), chosen(folder, "hook", flags, assignments)
    options = _options(folder, flags, assignments)
    drawn = _draw(folder, name)

    from diffmidi_core.draw.model import open_model
    from diffmidi_core.judge.evaluate import evaluate
    from diffmidi_core.machine.session import Surroundings

    work = Surroundings(hooks, precision=flags.get("precision", folder.config().precision))
    with judging(folder.figures / "*.json", *([drawn.figures_file] if drawn else [])):
        model = open_model(run, which, work.hooks.warn)
        if "data" in flags or "source" in flags:
            return _other(work, folder, model, drawn, metrics, options, flags, assignments)
        figures = evaluate(work, folder, model, drawn, metrics, options)
    click.echo(f"To see all of it on the run's page: diffmidi report {run}")
    return figures


def _draw(folder: RunFolder, name: str | None) -> DrawFolder | None:
    """The draw to judge; a run that nothing was drawn from has none."""
    if name is None and not any(folder.draws.glob("[!s]*/request.json")):
        click.echo(
            f"Nothing was drawn from this run yet, so only its checkpoint is judged: diffmidi sample {folder.path}"
        )
        return None
    return folder.draw(name)


def _other(
    work: Surroundings,
    folder: RunFolder,
    model: Any,
    draw: DrawFolder | None,
    metrics: list[Part],
    options: EvaluateConfig,
    flags: Any,
    assignments: tuple[str, ...],
) -> dict[str, Any]:
    from diffmidi_core.config import filled
    from diffmidi_core.judge.evaluate import about
    from diffmidi_core.judge.metrics import Metrics
    from diffmidi_core.judge.music import ReferenceMusic
    from diffmidi_core.judge.other import judge_other
    from diffmidi_core.judge.settings import Judging
    from diffmidi_core.layers import assignments_of
    from diffmidi_core.registry import source_of
    from diffmidi_core.sections import Part

    data = flags.get("data")
    values = assignments_of(assignments).get("source", {})
    source = filled("source", Part(name=flags.get("source") or source_of(data), options=values))
    work.tell_begin("evaluate", folder.path, {}, f"{about(model.step, draw, len(metrics))}, on {data or source.label}")
    config = folder.config()
    there = folder.data.is_dir()
    own = ReferenceMusic(folder.data, model.tokenizer, length=model.length, bars=model.bars) if there else None
    judged = judge_other(
        work,
        model,
        data,
        source,
        Judging(Metrics(metrics, work.hooks.warn), options),
        draw=draw,
        training=own.training if own else None,
        sustain=config.prepare.sustain,
        tracks=config.prepare.tracks,
        to=folder.figures,
    )
    work.tell_end("evaluate", folder.path, judged["figures"])
    return dict(judged["figures"])


def _options(folder: RunFolder | None, flags: Any, assignments: tuple[str, ...]) -> EvaluateConfig:
    """How many windows at how many levels: the run's own, with flags and -o over them."""
    from pydantic import ValidationError

    from diffmidi_core.layers import assignments_of
    from diffmidi_core.sections import EvaluateConfig
    from diffmidi_core.wording import describe_all

    below = folder.config().evaluate if folder else EvaluateConfig()
    own = {name.partition(".")[2]: value for name, value in flags.items() if name.startswith("evaluate.")}
    values = {**below.model_dump(), **own, **assignments_of(assignments).get("evaluate", {})}
    try:
        return EvaluateConfig.model_validate(values)
    except ValidationError as error:
        raise UsageError(describe_all(error, EvaluateConfig, "evaluate")) from None
