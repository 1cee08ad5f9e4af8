"""`diffmidi report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import REPORT, collect, settings
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.numbers import figure_text, interval_text


@click.command("report")
@click.argument("paths", nargs=-1, type=UserPath(), metavar="RUN|SOURCE...")
@settings(REPORT)
@click.option("--blind", is_flag=True, help="Write a listening test of several runs, draws or folders of MIDI files.")
@click.option("--out", type=UserPath(), metavar="FOLDER", help="With --blind: where the page and its key are written.")
@click.option("--pieces", type=click.IntRange(1, 100), help="With --blind: how many of each (default: 8).")
@click.option("--seconds", type=click.FloatRange(1, 120), help="With --blind: how much of each piece is heard at most.")
@click.option("--seed", type=click.IntRange(0), help="With --blind: what chooses and orders the pieces (default: 0).")
@click.option("--blind-key", type=UserPath(), metavar="KEY.csv", help="Say how the sources were rated.")
def command(
    paths: tuple[Path, ...],
    assignments: tuple[str, ...],
    blind: bool,
    out: Path | None,
    pieces: int | None,
    seconds: float | None,
    seed: int | None,
    blind_key: Path | None,
    **given: Any,
) -> None:
    """Write report.html, the whole run on one page that opens offline.

    `diffmidi run` ends with it. `report --blind A B --out FOLDER` writes a page on which people rate pieces without
    knowing whose they are, and `report --blind-key FOLDER/key.csv RATINGS.csv...` says how they were rated.
    """
    flags = collect(given, assignments, REPORT)
    if blind_key is not None and not blind:
        if not paths:
            raise UsageError("--blind-key: name the files of ratings, too: report --blind-key KEY.csv RATINGS.csv...")
        return _rated(blind_key, paths)
    if blind:
        if blind_key is not None or out is None:
            raise UsageError("--blind takes --out FOLDER, and not --blind-key: report --blind A B ... --out FOLDER.")
        return _blind(paths, out, 8 if pieces is None else pieces, seconds, seed or 0)
    if (out, pieces, seconds, seed) != (None, None, None, None):
        raise UsageError("--out, --pieces, --seconds and --seed are for a listening test: add --blind.")
    if len(paths) != 1:
        raise UsageError("name the one RUN whose report is written; several are compared by --blind, or by `compare`.")
    return _report(paths[0], flags, assignments)


def _report(run: Path, flags: dict[str, Any], assignments: tuple[str, ...]) -> None:
    from diffmidi_core.cli.drawing import chosen
    from diffmidi_core.saved.folder import RunFolder

    folder = RunFolder.open(run)
    config = folder.config().model_copy(update={"hooks": chosen(folder, "hook", flags, assignments)})

    from diffmidi_core.machine.session import Session
    from diffmidi_core.show.report import report

    written = report(Session(folder, config))
    if written is None:
        names = ", ".join(part.label for part in config.hooks) or "none"
        raise DiffmidiError(f"no hook has anything to report (chosen: {names}): add --hook report.")
    click.echo(f"Wrote {written}: open it in a browser.")


def _blind(sources: tuple[Path, ...], out: Path, pieces: int, seconds: float | None, seed: int) -> None:
    from diffmidi_core.cli.options import warned
    from diffmidi_core.show.blind import write_test

    page, key, heard = write_test(sources, out, pieces=pieces, seed=seed, seconds=seconds, warn=warned)
    click.echo(f"Wrote {page}: at most {figure_text(heard)} seconds of each piece. Give this file to who listens.")
    click.echo(f"Wrote {key}: which piece is whose. Keep it to yourself.")
    click.echo(f"To see how they were rated: diffmidi report --blind-key {key} RATINGS.csv...")


def _rated(key: Path, ratings: tuple[Path, ...]) -> None:
    from diffmidi_core.cli.tables import new_console, new_table
    from diffmidi_core.show.ratings import rated

    table = new_table("source", "mean rating", "95 % interval", "pieces", "ratings", "listeners")
    for each in rated(key, ratings):
        interval = interval_text(each.interval) if each.interval else "-"
        counts = (str(count) for count in (each.pieces, each.ratings, each.listeners))
        table.add_row(each.source, figure_text(each.mean), interval, *counts)
    console = new_console()
    console.print(table)
    console.print(
        "Ratings are from 1 to 5. A mean is that of the pieces' own means; an interval is over the pieces, and says "
        "nothing of other listeners."
    )
