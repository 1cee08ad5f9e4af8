"""What commands that draw share: which model, what is asked of it, where it goes, and what is told at the end."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diffmidi_core.cli.options import warned
from diffmidi_core.config import default_parts, filled
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.fitting import without_plan
from diffmidi_core.layers import assignments_of
from diffmidi_core.numbers import counted
from diffmidi_core.registry import find
from diffmidi_core.request import Request, requested
from diffmidi_core.saved.classifiers import asked_classifiers, check_no_classifier
from diffmidi_core.saved.draw import SAMPLE, DrawFolder
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.saved.installed import model_at
from diffmidi_core.saved.manifest import Which, is_run, read_model, steps
from diffmidi_core.sections import Part
from diffmidi_core.wording import printable

if TYPE_CHECKING:
    from diffmidi_core.draw.model import Model
    from diffmidi_core.machine.session import Surroundings


@dataclass(frozen=True)
class Plan:
    """A draw before it begins.

    Attributes:
        folder: the run, or the exported model, an installed one's perhaps.
        which: the checkpoint; None where it is an exported model.
        run: the folder as a run; None where it is an exported model.
        request: what is asked.
        renderers, hooks: the chosen parts, filled in.
        precision: what to compute in.
    """

    folder: Path
    which: Which
    run: RunFolder | None
    request: Request
    renderers: Sequence[Part]
    hooks: Sequence[Part]
    precision: str

    @property
    def draws(self) -> Path:
        """Below which the draw lies: in the run, or in the working folder."""
        return self.run.draws if self.run else Path("draws")

    @cached_property
    def work(self) -> Surroundings:
        """Listeners and devices."""
        from diffmidi_core.machine.session import Surroundings

        return Surroundings(self.hooks, precision=self.precision)

    def parts(self, renderers: Sequence[Part]) -> list[tuple[str, Part]]:
        """What is used to draw and to show."""
        controls = [("control", part) for part in self.request.controls]
        return [("sampler", self.request.sampler), *controls, *(("renderer", part) for part in renderers)]

    def open(self) -> Model:
        """The model itself."""
        from diffmidi_core.draw.model import open_model

        return open_model(self.folder, self.which)


def plan(model: Path, which: Which, flags: Mapping[str, Any], assignments: Sequence[str]) -> Plan:
    """What is to be drawn, checked before torch is imported. Raises DiffmidiError."""
    folder = model_at(model)
    manifest = read_model(folder, which, warned)
    check_no_classifier(manifest, model)
    run = RunFolder(folder) if is_run(folder) else None
    below = Request(**manifest.sample.model_dump(), sampler=manifest.sampler)
    request = requested(
        below,
        flags,
        assignments,
        process=manifest.process,
        window=manifest.length,
        by_bars=bool(without_plan(manifest.tokenizer)),
        labels=manifest.labels,
        classifiers=asked_classifiers(flags.get("classifier", ()), manifest, model, warned),
    )
    return Plan(
        folder,
        manifest.step if run else which,
        run,
        request,
        renderers=chosen(run, "renderer", flags, assignments),
        hooks=chosen(run, "hook", flags, assignments),
        precision=flags.get("precision", manifest.precision),
    )


def going_on(
    model: Path, name: str | None, flags: Mapping[str, Any], assignments: Sequence[str], command: str = SAMPLE
) -> tuple[Plan, DrawFolder]:
    """What is left of a draw that a command was stopped at: what was asked for then, of the very weights.

    Raises DiffmidiError.
    """
    folder = model_at(model)
    run = RunFolder(folder) if is_run(folder) else None
    in_run = run is not None and command == SAMPLE
    draw = DrawFolder.unfinished(run.draws if run and in_run else Path("draws"), name, command)
    stored = draw.request()
    which = stored.model.step if run else None
    if run and which not in steps(run.checkpoints):
        raise DiffmidiError(
            f"{draw.path} was begun with the checkpoint of iteration {which}, which is not there any more: draw anew, "
            "without --resume."
        )
    manifest = read_model(folder, which)
    if manifest.weights != stored.model.fingerprint:
        raise DiffmidiError(
            f"{draw.path} was begun with other weights (of {stored.model.path}): go on with it by that model, name "
            "another draw by --name, or draw anew, without --resume."
        )
    planned = Plan(
        folder,
        which,
        run,
        stored.request,
        renderers=chosen(run, "renderer", flags, assignments),
        hooks=chosen(run, "hook", flags, assignments),
        precision=stored.precision,
    )
    return planned, draw


def find_draw(where: Path, name: str | None) -> tuple[DrawFolder, RunFolder | None]:
    """The draw that a folder is, or a draw of the run that it is: of that name, or the newest."""
    folder = where.expanduser()
    draw = DrawFolder(folder)
    if draw.request_file.is_file():
        if name is not None:
            raise UsageError(f"{where} is a draw itself: leave out --draw.")
        above = RunFolder(folder.resolve().parent.parent)
        return draw, above if above.config_file.is_file() else None
    run = RunFolder.open(folder)
    return run.draw(name), run


def chosen(run: RunFolder | None, kind: str, flags: Mapping[str, Any], assignments: Sequence[str] = ()) -> list[Part]:
    """Listeners, renderers or metrics: a run's own, or the default ones, with flags and `-o` over them.

    One of the run's own that cannot be used any more is named and left out; one that is asked for is refused.
    """
    many = f"{kind}s"
    parts: list[Part] = list(getattr(run.config(), many)) if run else default_parts(kind)
    known = {name: part for part in parts for name in (part.label, part.name)}
    without = set(flags.get(f"no_{kind}", ()))
    if unknown := without - {*known, "all"}:
        names = ", ".join(part.label for part in parts) or "none"
        raise UsageError(f"--no-{kind} {min(unknown)}: it is not chosen. Chosen: {names}.")
    kept = []
    for part in parts:
        if "all" in without or {part.label, part.name} & without:
            continue
        try:
            kept.append(filled(kind, part))
        except DiffmidiError as error:
            click.echo(f"Warning: {error} It is left out.", err=True)
    added = [filled(kind, Part(name=name)) for name in flags.get(kind, ())]
    kept += [part for part in added if part.spec not in (other.spec for other in kept)]
    return _with_options(kind, kept, assignments)


def _with_options(kind: str, parts: Sequence[Part], assignments: Sequence[str]) -> list[Part]:
    """`-o renderer.wav.peak=-3` on the chosen parts."""
    changed = {part.label: part for part in parts}
    for dotted, value in assignments_of(assignments).get(kind, {}).items():
        name, _, key = dotted.rpartition(".")
        if name not in changed:
            names = ", ".join(changed) or "none"
            raise UsageError(
                f"-o {kind}.{dotted}: write {kind}.NAME.option=value, where NAME is one of the chosen ones: {names}."
            )
        part = changed[name]
        merged = find(kind, part.spec).merged(part.options, {key: value})
        changed[name] = filled(kind, part.model_copy(update={"options": merged}))
    return list(changed.values())


def wrote(
    draw: DrawFolder,
    copies: Sequence[Path],
    run: RunFolder | None,
    *,
    page: bool = False,
    fills: Path | None = None,
) -> None:
    """Print where the music is, and what to do next.

    `page`: the run's page shows this draw already. `fills`: a model, as it was named, that draws into files.
    """
    pieces = draw.pieces()
    click.echo(f"Wrote {counted(len(pieces), 'piece')}:")
    for piece in pieces:
        files = sorted(path.name.removeprefix(piece.stem) for path in draw.path.glob(f"{piece.stem}.*"))
        rank = f"  {piece.rank.told()}" if piece.rank is not None else ""
        click.echo(f"  {draw.path / piece.stem}{files[0] if len(files) == 1 else '{' + ','.join(files) + '}'}{rank}")
    for path in copies:
        click.echo(f"  {path}")
    if run and page and run.report_file.exists():
        click.echo(f"To see and hear them, open {run.report_file} in a browser.")
        click.echo(f"To draw more: diffmidi sample {run.path}")
    elif run:
        click.echo(f"To see and hear them on the run's page: diffmidi report {run.path}")
    if pieces and fills is not None:
        first = copies[0] if copies else draw.path / f"{pieces[0].stem}.mid"
        click.echo(f"To draw a bar of it anew: diffmidi infill {quoted(first)} --bars 1 --model {quoted(fills)}")


def quoted(path: object) -> str:
    """A path as it is typed."""
    return shlex.quote(printable(str(path)))
