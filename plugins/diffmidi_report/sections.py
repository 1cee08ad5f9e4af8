"""The sections: each is a template and what it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from diffmidi_core.api import Section, TrainingMusic, changed_options, departures, printable
from diffmidi_report.curves import chart
from diffmidi_report.declarations import ReportOptions
from diffmidi_report.figures import BY_TYPE, bars, groups, notes
from diffmidi_report.roll import HEIGHT, LEFT, PASSAGE_HEIGHT, WIDTH
from diffmidi_report.run import FEWEST_LOOKS, HELDOUT, TRAIN, Run
from diffmidi_report.samples import WAVE_HEIGHT, cards, words

PARTS = ("source", "tokenizer", "backbone", "schedule", "process", "sampler")


def sections(run: Run, training: Callable[[], TrainingMusic | None], options: ReportOptions) -> list[Section]:
    """All that the run has something for."""
    template = _templates()
    paths = run.samples()
    found = [
        Section("Overview", [template("style.html"), template("overview.html", run=run, **_overview(run))]),
        Section(
            "Samples",
            [template("samples.html", cards=cards(run, paths[: options.samples], training, options), count=len(paths))],
        ),
        Section("Figures", [template("figures.html", run=run, groups=groups(run.figures), notes=notes(run.figures))]),
    ]
    if by_type := bars(run.figures):
        found.append(Section("Bits by word type", [template("types.html", bars=by_type, name=BY_TYPE)]))
    found.append(Section("Training", [template("training.html", **_training(run))]))
    if paths and (said := words(paths[0])):
        found.append(Section("Words", [template("words.html", name=printable(paths[0].name), **said)]))
    return found


def _templates() -> Callable[..., Markup]:
    environment = Environment(
        loader=PackageLoader("diffmidi_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    environment.filters["breakable"] = lambda name: escape(name).replace("_", Markup("_<wbr>"))
    environment.filters["pretty"] = lambda config: json.dumps(config, indent=2, ensure_ascii=False)
    environment.globals |= {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "wave_height": WAVE_HEIGHT,
        "passage_height": PASSAGE_HEIGHT,
    }

    def render(name: str, /, **values: Any) -> Markup:
        return Markup(environment.get_template(name).render(values))

    return render


def _overview(run: Run) -> dict[str, Any]:
    data, facts = run.facts.get("data") or {}, run.facts
    bound = run.figures.get("bound_bpw")
    tiles = [
        (f"{bound['value']:.3g}", "bits per word on held-out music, at most") if bound else None,
        (_short(facts["parameters"]), "parameters") if "parameters" in facts else None,
        (_short(data["notes"]), f"notes in {data.get('kept', '?')} pieces") if "notes" in data else None,
        (f"{int(run.log[-1]['step']):,}", _iterations(facts)) if run.log else None,
    ]
    config = dict(run.config)
    return {
        "tiles": [tile for tile in tiles if tile],
        "parts": {kind: config[kind]["name"] for kind in PARTS if kind in config},
        "data": data,
        "changed": changed_options(config),
        "departures": departures(config),
    }


def _iterations(facts: Mapping[str, Any]) -> str:
    if "epochs" not in facts:
        return "iterations"
    keys = f"transposed by up to {facts['transpose']} semitones" if facts.get("transpose") else "in its own keys"
    epochs = facts["epochs"]
    often = f"{epochs:.2g}" if epochs < 10 else f"{epochs:,.0f}"
    return f"iterations, {often} times through the music, {keys}"


def _training(run: Run) -> dict[str, Any]:
    parted = run.parted()
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
            f"Held-out bound, from {heldout[1][0]:.3g} bits per word at iteration {heldout[0][0]:g} to "
            f"{heldout[1][-1]:.3g} at {heldout[0][-1]:g}; lowest {heldout[1][lowest]:.3g} at {heldout[0][lowest]:g}."
        )
        if parted is not None:
            alt += f" The curves part at iteration {parted}."
        curves = {"held-out music": heldout} | ({"training music": trained_on} if trained_on[0] else {})
        marks = [] if parted is None else [(float(parted), f"they part at {parted:,}")]
        charts.append(("Bound on what a word costs", chart(curves, "bits per word", alt, marks=marks)))
    looks = sum(step > 0 for step in trained_on[0])
    return {"charts": charts, "parted": parted, "looks": looks, "fewest": FEWEST_LOOKS}


def _short(number: int) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / (1e3 if letter == 'k' else size):.3g} {letter}"
    return f"{number:,}"
