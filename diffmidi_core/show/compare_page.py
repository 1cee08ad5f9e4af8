"""Compared runs as one page that opens offline: a piece of each to hear, then the table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from markupsafe import Markup

from diffmidi_core.contracts.report import Content, Section
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.reading import read_midi
from diffmidi_core.saved.draw import DrawFolder, PieceRecord
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.show.cards import Sound, piece_html, piece_style, piece_view, small_sound
from diffmidi_core.show.groups import Group
from diffmidi_core.show.report import page_html, write
from diffmidi_core.show.side_by_side import FIGURES, Part, SideBySide
from diffmidi_core.wording import printable

MEGABYTES = 8.0
"""Of sound on the page at most: of many groups each piece is dulled, then cut."""
_LEAST, _MOST = 40_000, 1_000_000
"""Bytes of a piece's sound: under the first it is left out."""
_MOST_NAMED = 2
"""Names in the title."""


def write_page(path: Path, table: SideBySide) -> None:
    """The page, whole or not at all."""
    titles = {FIGURES: "Figures", "": "Figures", "settings that differ": "Settings that differ"}
    caveats = [Markup('<p class="note">{}</p>').format(each) for each in table.caveats]
    tables = [
        Section(titles.get(part.heading, part.heading.capitalize()), [_table(table, part)])
        for part in sorted(table.parts, key=lambda part: part.heading != FIGURES)
    ]
    style = Markup("<style>{}{}</style>").format(piece_style(), page_html("compared.css"))
    heard: list[Content] = [style, *caveats, _cards(table.groups)]
    if tables:
        tables[0] = Section(tables[0].title, [*table.notes, *tables[0].content])
    write(path, _title(table.groups), [Section("A piece of each", heard), *tables], kind="diffmidi compare")


def _title(groups: Sequence[Group]) -> str:
    names = [group.name for group in groups]
    more = len(names) - _MOST_NAMED
    return " and ".join(names) if more <= 0 else f"{', '.join(names[:_MOST_NAMED])} and {more} more"


def _table(table: SideBySide, part: Part) -> Markup:
    return page_html("compared.html", columns=table.columns, part=part)


def _cards(groups: Sequence[Group]) -> Markup:
    share = int(min(MEGABYTES * 1e6 / len(groups), _MOST))
    return page_html("compared_cards.html", cards=[_card(group, share) for group in groups])


def _card(group: Group, room: int) -> dict[str, Any]:
    """The first piece of the newest draw of the group's first run that has one."""
    found = next((each for run in group.runs if (each := _piece(run.path)) is not None), None)
    if found is None:
        return {"name": group.heading, "about": "", "piece": "", "missing": ["No run of it has drawn anything yet."]}
    draw, piece = found
    run = next(run.name for run in group.runs if run.path == draw.path.parent.parent)
    missing: list[str] = []
    score, sound = None, None
    midi, wav = (draw.path / f"{piece.stem}{suffix}" for suffix in (".mid", ".wav"))
    try:
        score = read_midi(midi)
    except (DiffmidiError, OSError) as error:
        missing.append(_without_place(error, draw))
    try:
        sound = _sound(wav, room)
    except DiffmidiError as error:
        missing.append(_without_place(error, draw))
    view = None if score is None and sound is None else piece_view(score, sound)
    name = f"piece {piece.number} of draw {printable(draw.path.name)} of {run}"
    return {
        "name": group.heading,
        "about": f"{name[0].upper()}{name[1:]}",
        "piece": piece_html(view, name) if view else "",
        "missing": missing,
    }


def _piece(run: Path) -> tuple[DrawFolder, PieceRecord] | None:
    for draw in DrawFolder.all(RunFolder(run).draws):
        with suppress(DiffmidiError):  # a draw that cannot be read is none to hear
            if not draw.while_training and (pieces := draw.so_far()):
                return draw, pieces[0]
    return None


def _sound(wav: Path, room: int) -> Sound:
    if not wav.is_file():
        raise DiffmidiError(f"No sound: there is no {wav.name}, which `diffmidi render` makes.")
    if room < _LEAST:
        raise DiffmidiError(f"No sound: there is no room for it on this page; it is in {wav.name}.")
    return small_sound(wav, room * 3 // 4)


def _without_place(error: Exception, draw: DrawFolder) -> str:
    return printable(str(error).replace(f"{draw.path}/", ""))
