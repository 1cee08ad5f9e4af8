"""The sections: each is a template and what it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from diffmidi.api.hook import Section, changed_options, departures, flat
from diffmidi.api.metric import TrainingMusic
from diffmidi.api.renderer import piece_html, piece_style
from diffmidi_report import levels
from diffmidi_report.curves import chart
from diffmidi_report.declarations import ReportOptions
from diffmidi_report.figures import BY_TYPE, bars, of_checkpoint, of_draw
from diffmidi_report.room import FRAME, fitted
from diffmidi_report.run import FEWEST_PASSES, HELDOUT, TRAIN, Draw, Run
from diffmidi_report.samples import Card, tokens
from diffmidi_report.story import story
from diffmidi_report.verdict import verdict
from diffmidi_report.words import number, placeless, short, told

PARTS = ("source", "tokenizer", "backbone", "schedule", "process")
_BESIDE = 0.35
"""Share of the page for pieces that are not the run's."""
MOST_NAMED = 50
"""Draws that are named where there is no room to show them, and checkpoints whose figures are folded."""

Template = Callable[..., Markup]


def sections(run: Run, training: Callable[[], TrainingMusic | None], options: ReportOptions) -> list[Section]:
    """All that the run has something for."""
    template = _templates()
    found = [
        Section("Overview", [template("overview.html", run=run, verdict=verdict(run), **_overview(run))]),
        Section("Figures", [template("figures.html", **_figures(run, template))]),
    ]
    if run.judged and (by_type := bars(run.judged)):
        types = template("types.html", bars=by_type, name=BY_TYPE, judged=run.judged, music=run.judged.music)
        found.append(Section("Bits by token type", [types]))
    if run.judged and (by_level := levels.section(run.judged)):
        found.append(by_level)
    found.append(Section("Training", [template("training.html", **_training(run))]))
    if run.newest:
        first = run.newest.pieces[0]
        written = template("tokens.html", draw=run.newest, piece=first, **tokens(first))
        found.append(Section("Tokens", [written]))
    style = template("style.html", pieces=piece_style())
    share = int(options.megabytes * _BESIDE * 1e6) // max(1, len(run.beside))
    playing = [_beside(each, options, share, template) for each in run.beside if each.pieces and options.samples]
    found = [*playing, *found]
    taken = len(style.encode()) + sum(len(str(content).encode()) for section in found for content in section.content)
    room = int(options.megabytes * 1e6) - FRAME - taken
    found.insert(0, Section("Samples", [style, _samples(run, training, options, room, template)]))
    return found


def _beside(draw: Draw, options: ReportOptions, room: int, template: Template) -> Section:
    """Pieces of an installed model, clearly told apart from the run's."""
    shown, _, _ = fitted(
        draw,
        [],
        lambda: None,
        most=options.samples,
        room=room,
        write=lambda card: template("card.html", card=card),
        below=lambda draw: Markup(),
    )
    assert shown is not None
    return Section(f"The model {draw.name}", [template("beside.html", shown=shown, draw=draw)])


def _templates() -> Template:
    environment = Environment(
        loader=PackageLoader("diffmidi_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    environment.filters["breakable"] = lambda name: escape(name).replace("_", Markup("_<wbr>"))
    environment.filters["pretty"] = lambda config: json.dumps(config, indent=2, ensure_ascii=False)
    environment.filters["told"] = told
    environment.globals["piece"] = piece_html

    def render(name: str, /, **values: Any) -> Markup:
        return Markup(environment.get_template(name).render(values))

    return render


def _overview(run: Run) -> dict[str, Any]:
    data = run.facts.get("data")
    data = data if isinstance(data, Mapping) else {}
    judged, config = run.judged, placeless(run.config)
    bound = judged.known.get("bound_bpw") if judged else None
    values = flat(config)
    tiles = [
        (number(bound.value), f"bits per token, at most, on {judged.music}, at iteration {judged.checkpoint:,}")
        if judged and bound
        else None,
        (short(run.facts["parameters"]), "parameters") if "parameters" in run.facts else None,
        (short(data["notes"]), f"notes in {data.get('kept', '?')} pieces") if "notes" in data else None,
        (f"{int(run.log[-1]['step']):,}", _iterations(run.facts)) if run.log else None,
    ]
    return {
        "tiles": [tile for tile in tiles if tile],
        "parts": {kind: values[kind] for kind in PARTS if kind in values},
        "config": {name: value for name, value in config.items() if name != "origin"},
        "data": data,
        "changed": placeless(changed_options(run.config)),
        "departures": departures(run.config),
        "story": story(run.facts),
        "machine": placeless(run.machine),
    }


def _iterations(facts: Mapping[str, Any]) -> str:
    if "epochs" not in facts:
        return "iterations"
    keys = f"transposed by up to {facts['transpose']} semitones" if facts.get("transpose") else "not transposed"
    epochs = facts["epochs"]
    often = f"{epochs:.2g}" if epochs < 10 else f"{epochs:,.0f}"
    return f"iterations, {often} times through the music, {keys}"


def _samples(
    run: Run,
    training: Callable[[], TrainingMusic | None],
    options: ReportOptions,
    room: int,
    template: Template,
) -> Markup:
    def write(card: Card) -> Markup:
        return template("card.html", card=card)

    def below(draw: Draw) -> Markup:
        judged = [of_draw(draw, draw.judged)] if draw.judged else []
        return Markup("").join(template("table.html", found=each) for each in judged)

    most = options.draws - bool(run.newest)
    newest, others, left = fitted(
        run.newest, run.others[:most], training, most=options.samples, room=room, write=write, below=below
    )
    left = [*left, *run.others[most:]]
    return template(
        "samples.html",
        newest=newest,
        others=others,
        left=left[:MOST_NAMED],
        more=len(left[MOST_NAMED:]),
        asked=_asked,
    )


def _asked(draw: Draw) -> dict[str, Any]:
    """What was asked of a draw: name to words."""
    request = draw.stored.request
    options = ", ".join(f"{name} {told(value)}" for name, value in request.sampler.options.items())
    return {
        "Pieces": draw.size,
        "Sampler": f"{request.sampler.label}{f' ({options})' if options else ''}",
        "Steps": f"{request.steps:,}",
        "Seed": str(request.seed),
        "Checkpoint": f"iteration {draw.checkpoint:,}",
        "Drawn": f"{draw.stored.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _figures(run: Run, template: Template) -> dict[str, Any]:
    """The newest checkpoint and the newest draw that were judged, each in tables of its own; the other checkpoints."""
    draws = [draw for draw in run.draws if draw.judged and not draw.folder.while_training]
    shown = [of_checkpoint(run.judged)] if run.judged else []
    shown += [of_draw(draw, draw.judged) for draw in draws[:1] if draw.judged]
    others = [of_checkpoint(judged) for judged in run.checkpoints if judged is not run.judged][:MOST_NAMED]
    waiting = run.newest if run.newest and not run.newest.judged else None

    def table(found: Any) -> Markup:
        return template("table.html", found=found)

    return {"shown": shown, "others": others, "waiting": waiting, "table": table}


def _training(run: Run) -> dict[str, Any]:
    overfits = run.parted()
    loss, heldout, trained_on = run.curve("loss"), run.curve(HELDOUT), run.curve(TRAIN)
    charts = []
    if len(loss[0]) > 1:
        alt = (
            f"Training loss, from {loss[1][0]:.3g} at iteration {loss[0][0]:g} to {loss[1][-1]:.3g} at {loss[0][-1]:g}."
        )
        charts.append(
            (
                "Training loss",
                chart({"loss": loss}, "loss", alt, log=min(loss[1]) > 0 and max(loss[1]) > 20 * min(loss[1])),
            )
        )
    if len(heldout[0]) > 1:
        lowest = min(range(len(heldout[0])), key=heldout[1].__getitem__)
        alt = (
            f"Bound on held-out music, from {heldout[1][0]:.3g} bits per token at iteration {heldout[0][0]:g} to "
            f"{heldout[1][-1]:.3g} at {heldout[0][-1]:g}; lowest {heldout[1][lowest]:.3g} at {heldout[0][lowest]:g}."
        )
        if overfits is not None:
            alt += f" The model overfits from iteration {overfits} on."
        curves = {"held-out music": heldout} | ({"training music": trained_on} if trained_on[0] else {})
        marks = [] if overfits is None else [(float(overfits), f"overfits from {overfits:,}")]
        charts.append(("Bits per token, at most", chart(curves, "bits per token", alt, marks=marks)))
    passes = sum(step > 0 for step in trained_on[0])
    return {"charts": charts, "overfits": overfits, "passes": passes, "fewest": FEWEST_PASSES}
