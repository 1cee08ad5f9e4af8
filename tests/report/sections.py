"""What the built-in sections make of a run folder, as HTML and as a reader sees it."""

import json
import re

from markupsafe import Markup

from diffmidi.api.metric import TrainingMusic
from diffmidi_core.hooks import Hooks
from diffmidi_core.registry import find


def built(folder, pieces=None, **options):
    """The sections of a run folder, whose training music was `pieces`."""
    report = find("hook", "report").build(options)
    config = json.loads((folder / "config.json").read_text())
    names = list(pieces or {})
    training = TrainingMusic(names, lambda number: pieces[names[number]], lambda number: []) if pieces else None
    hooks = Hooks([("report", report)])
    answers = hooks.emit("report_sections", folder=folder, config=config, training=lambda: training)
    assert hooks.warnings == []
    return answers["report"]


def html(folder, pieces=None, **options) -> dict[str, str]:
    """Each section's HTML by its title."""
    return {each.title: "".join(each.content) for each in built(folder, pieces, **options)}


def text(section: str) -> str:
    """What a reader sees of it."""
    seen = re.sub(r"<style>.*?</style>|<wbr>", "", section, flags=re.DOTALL)
    return " ".join(Markup(re.sub(r"<[^>]*>", " ", seen)).unescape().split())


def facts(run, **more):
    file = run / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **more}))


def segment(begin, end, *, device="cpu", **changed):
    changed = {name.replace("__", "."): pair for name, pair in changed.items()}
    return {"from": begin, "to": end, "changed": changed, "device": device, "precision": "fp32"}
