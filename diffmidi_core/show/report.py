"""report: report.html, one page that opens offline. The core gives the page; its content comes from listeners."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from diffmidi_core import __version__
from diffmidi_core.contracts.metric import TrainingMusic
from diffmidi_core.contracts.report import Cell, Picture, Section, Table
from diffmidi_core.data.prepare import REPORT
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import whole_file
from diffmidi_core.hooks import Hooks
from diffmidi_core.machine.session import Session
from diffmidi_core.music.reading import printable
from diffmidi_core.numbers import count_text, figure_text

_PAGE, _PLAYER = "page", "player.js"


def report(session: Session) -> Path | None:
    """Ask the listeners for sections, write report.html, and return its path; None where they have none."""
    session.begin("report")
    folder = session.folder
    sections = collect(
        session.hooks,
        folder=folder.path,
        config=session.config.model_dump(mode="json"),
        training=lambda: _training(session),
    )
    if not sections:
        return None
    write(folder.report_file, printable(folder.path.resolve().name), sections)
    session.end("report")
    return folder.report_file


def _training(session: Session) -> TrainingMusic | None:
    if not (session.folder.data / REPORT).exists():
        return None
    # Slow to import, and most reports are written by a run that has it already.
    from diffmidi_core.data.dataset import TokenDataset
    from diffmidi_core.judge.music import training_music

    try:
        dataset = TokenDataset(
            session.folder.data, session.tokenizer, length=session.config.length, bars=session.config.bars
        )
    except DiffmidiError as error:  # the tokenizer is not installed any more, or the data are damaged
        session.hooks.warn(f"The report does without the training music: {error}")
        return None
    return training_music(dataset, session.tokenizer)


def collect(hooks: Hooks, **asked: Any) -> list[Section]:
    """Every listener's sections; an answer that is not a list of sections is named and left out."""
    sections: list[Section] = []
    for name, answer in hooks.emit("report_sections", **asked).items():
        if isinstance(answer, Sequence) and all(isinstance(section, Section) for section in answer):
            sections += answer
        else:
            hooks.warn(
                f"hook '{name}' answered report_sections with {type(answer).__name__}, not a list of Section; "
                "it is left out of the report."
            )
    return sections


def write(
    path: Path, title: str, sections: Sequence[Section], *, kind: str = "diffmidi run", script: str | None = None
) -> None:
    """The page, whole or not at all, the same bytes for the same sections.

    `kind` stands above the title. `script` is one of the page's own that runs beside the player: its file's name.
    """
    page = _environment().get_template("page.html")
    anchors = _anchors([section.title for section in sections])
    html = page.render(
        title=title,
        kind=kind,
        sections=list(zip(anchors, sections, strict=True)),
        scripts=[_script(name) for name in (_PLAYER, script) if name],
        version=__version__,
    )
    with whole_file(path) as temporary:
        # A path may hold bytes that are no text; a page cannot.
        temporary.write_text(html, encoding="utf-8", errors="replace")


def page_html(template: str, /, **values: Any) -> Markup:
    """One of the templates beside the page's, filled; what it is given is escaped."""
    return Markup(_environment().get_template(template).render(values))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("diffmidi_core.show", _PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": _cell, "data_url": _data_url, "digest": _digest}
    environment.tests |= {
        "table": lambda content: isinstance(content, Table),
        "picture": lambda content: isinstance(content, Picture),
    }
    environment.tests["html"] = lambda content: hasattr(content, "__html__")
    return environment


def _script(name: str) -> Markup:
    """A script of ours, to stand in the page as it is."""
    return Markup((Path(__file__).parent / _PAGE / name).read_text(encoding="utf-8"))


def _digest(script: str) -> str:
    """What lets a browser run this script and no other."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _cell(value: Cell) -> str:
    if value is None:
        return "\N{EN DASH}"
    return value if isinstance(value, str) else count_text(value) if isinstance(value, int) else figure_text(value)


def _data_url(picture: Picture) -> str:
    return f"data:{picture.mime};base64,{base64.b64encode(picture.data).decode()}"


def _anchors(titles: Sequence[str]) -> list[str]:
    """An anchor for each title that a link can name, no two alike."""
    anchors: list[str] = []
    for title in titles:
        slug = re.sub(r"\W+", "-", title.lower()).strip("-") or "section"
        number = next(n for n in range(1, len(titles) + 2) if (slug if n == 1 else f"{slug}-{n}") not in anchors)
        anchors.append(slug if number == 1 else f"{slug}-{number}")
    return anchors
