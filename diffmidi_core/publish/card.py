"""The model card of an exported model: what it is, what it was trained on, what was measured, and how to use it.

It holds what the run's own files hold; what they lack is called unknown.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from diffmidi_core.files import read_json
from diffmidi_core.installing import pip_install
from diffmidi_core.judge.judged import StoredFigure
from diffmidi_core.numbers import better_text, count_text, figure_text
from diffmidi_core.publish.elsewhere import Elsewhere
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.saved.manifest import Manifest
from diffmidi_core.train.overfitting import overfits_from
from diffmidi_core.wording import printable

_TRAINED_BY = ("train.", "precision")
"""How what decides the weights is called in the config; the rest of what may change does not."""
_MARKDOWN = re.compile(r"[|`\[\]]")
_DATASET = re.compile(r"hub:((?:[\w.-]+/)?[\w.-]+)", re.ASCII)
CARD = "README.md"
TASK = "text-to-audio"
"""What the Hub files it under. Its list of tasks has none for music that nobody described, nor for notes: this is where
the other models that write music are, and where people look for them."""
UNKNOWN = "unknown"
"""What the Hub calls a licence that nobody has named."""


def write_card(
    to: Path,
    run: RunFolder,
    about: Manifest,
    *,
    parameters: int,
    figures: Mapping[str, StoredFigure],
    shown: Mapping[str, str],
    elsewhere: Elsewhere | None,
    license: str | None,
    name: str | None,
) -> None:
    """Write README.md into the folder `to`.

    `figures` are those of these weights; `shown` names the files of one sample there, by what they are; `elsewhere` is
    how transformers opens the backbone, where it does.
    """
    from huggingface_hub import ModelCard, ModelCardData

    parts = (about.backbone, about.process, about.tokenizer)
    config, facts = (_json_of(file) for file in (run.config_file, run.facts_file))
    data = ModelCardData(
        library_name=about.library_name,
        license=license or UNKNOWN,
        pipeline_tag=TASK,
        tags=["music", "midi", "symbolic-music", "music-generation", "diffusion", *(part.name for part in parts)],
        datasets=_datasets(config) or None,
    )
    body = (
        _environment()
        .get_template("card.md")
        .render(
            title=name or run.path.resolve().name,
            name=name,
            about=about,
            parameters=parameters,
            shown=shown,
            elsewhere=elsewhere,
            license=license,
            music=_music(config, facts.get("data") or {}),
            figures=figures,
            versions=facts.get("versions") or {},
            began=facts.get("began"),
            changes=_changes(run),
            overfits=overfits_from(run.read_log()),
        )
    )
    ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}").save(to / CARD)


def _json_of(file: Path) -> Mapping[str, Any]:
    """What a JSON file of a run holds; nothing where the run has not come to it."""
    content = read_json(file) if file.exists() else {}
    return content if isinstance(content, Mapping) else {}


def _changes(run: RunFolder) -> list[tuple[Any, list[tuple[str, str, str]]]]:
    """From which iteration on what was changed of how it was trained: its name, the new value and the old one."""
    told: list[tuple[Any, list[tuple[str, str, str]]]] = []
    for segment in run.segments():
        pairs = {name: pair for name, pair in (segment.get("changed") or {}).items() if name.startswith(_TRAINED_BY)}
        changes = [(name, _cell(new), _cell(old)) for name, (old, new) in pairs.items()]
        told += [(segment.get("from"), changes)] if changes else []
    return told


def _music(config: Mapping[str, Any], counts: Mapping[str, Any]) -> dict[str, str]:
    """What it was trained on, as `prepare` counted it. Of a path only its end: the rest is nobody else's business."""
    chosen = config.get("source")
    source = chosen.get("name", UNKNOWN) if isinstance(chosen, Mapping) else UNKNOWN
    place = f", {PurePath(str(config['data'])).name}" if config.get("data") else ""
    told = {"source": f"{source}{place}"}
    for key, label in (("kept", "pieces"), ("heldout", "of them held out"), ("notes", "notes"), ("words", "tokens")):
        if isinstance(counts.get(key), int):
            told[label] = count_text(counts[key])
    return told


def _datasets(config: Mapping[str, Any]) -> list[str]:
    """The Hub's name of the data set that it was trained on, where it is one of the Hub's."""
    found = _DATASET.fullmatch(str(config.get("data") or ""))
    return [found[1]] if found and not Path(found[1]).exists() else []


def _plain(value: Any) -> Any:
    """What the template puts in, as Markdown that shows it and nothing else.

    Names, titles and notes were chosen by somebody else: no HTML, link, code, end of a table's cell or control
    character may come in with them.
    """
    if not isinstance(value, str):
        return value
    text = html.escape(printable(value), quote=False)
    return _MARKDOWN.sub(r"\\\g<0>", text)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("diffmidi_core.publish", "page"),
        autoescape=False,  # for HTML; what goes into Markdown is escaped by `_plain`
        finalize=_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    environment.filters["better"] = better_text
    environment.globals["pip_install"] = pip_install
    return environment


def _cell(value: Any) -> str:
    """A value in words."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return " to ".join(map(_cell, value))
    return figure_text(value) if isinstance(value, float) else str(value)
