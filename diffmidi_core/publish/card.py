"""The model card of an exported model: what it is, what it was trained on, what was measured, and how to use it.

It holds what the run's own files hold; what they lack is called unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from diffmidi_core.files import read_json
from diffmidi_core.judge.judged import StoredFigure
from diffmidi_core.music.reading import printable
from diffmidi_core.numbers import better_text, count_text, figure_text
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.saved.manifest import Manifest
from diffmidi_core.train.overfitting import overfits_from

_TRAINED_BY = ("train.", "precision")
"""How what decides the weights is called in the config; the rest of what may change does not."""
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
    license: str | None,
    name: str | None,
) -> None:
    """Write README.md into the folder `to`.

    `figures` are those of these weights; `shown` names the files of one sample there, by what they are.
    """
    from huggingface_hub import ModelCard, ModelCardData

    parts = (about.backbone, about.process, about.tokenizer)
    data = ModelCardData(
        library_name=about.library_name,
        license=license or UNKNOWN,
        tags=["music", "midi", "symbolic-music", "diffusion", *(part.name for part in parts)],
    )
    config, facts = (_json_of(file) for file in (run.config_file, run.facts_file))
    body = (
        _environment()
        .get_template("card.md")
        .render(
            title=printable(name or run.path.resolve().name),
            name=name,
            about=about,
            parameters=parameters,
            shown=shown,
            license=license,
            music=_music(config, facts.get("data") or {}),
            figures=figures,
            versions=facts.get("versions") or {},
            began=facts.get("began"),
            changes=_changes(run),
            overfits=overfits_from(run.read_log()),
        )
    )
    ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}").save(to / "README.md")


def _json_of(file: Path) -> Mapping[str, Any]:
    """What a JSON file of a run holds; nothing where the run has not come to it."""
    content = read_json(file) if file.exists() else {}
    return content if isinstance(content, Mapping) else {}


def _changes(run: RunFolder) -> list[str]:
    """What was changed of how it was trained, and from which iteration on."""
    told = []
    for segment in run.segments():
        pairs = {name: pair for name, pair in (segment.get("changed") or {}).items() if name.startswith(_TRAINED_BY)}
        changes = ", ".join(f"`{name}` {_cell(new)} instead of {_cell(old)}" for name, (old, new) in pairs.items())
        told += [f"From iteration {segment.get('from')} on: {changes}."] if changes else []
    return told


def _music(config: Mapping[str, Any], counts: Mapping[str, Any]) -> dict[str, str]:
    """What it was trained on, as `prepare` counted it. Of a path only its end: the rest is nobody else's business."""
    source = (config.get("source") or {}).get("name", UNKNOWN)
    place = f", {printable(PurePath(config['data']).name)}" if config.get("data") else ""
    told = {"source": f"{source}{place}"}
    for key, label in (("kept", "pieces"), ("heldout", "of them held out"), ("notes", "notes"), ("words", "tokens")):
        if isinstance(counts.get(key), int):
            told[label] = count_text(counts[key])
    return told


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("diffmidi_core.publish", "page"),
        autoescape=False,  # Markdown; the Hub cleans the HTML in it
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    environment.filters["better"] = better_text
    return environment


def _cell(value: Any) -> str:
    """A value in a Markdown table, where a bar would end the cell."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return " to ".join(map(_cell, value))
    return figure_text(value) if isinstance(value, float) else str(value).replace("|", "\\|")
