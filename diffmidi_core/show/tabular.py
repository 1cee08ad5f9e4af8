"""The table of compared runs as text for other programs: CSV, Markdown, LaTeX."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diffmidi_core.files import whole_file
from diffmidi_core.show.compare import Record, differing
from diffmidi_core.show.side_by_side import Cell, SideBySide
from diffmidi_core.wording import cell, printable

_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
    **{"±": r"$\pm$", "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{MINUS SIGN}": r"$-$", "…": r"\dots{}"},
}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~])")


def rows(table: SideBySide, records: Sequence[Record], only: Sequence[str] = ()) -> list[dict[str, Any]]:
    """A row a run, numbers as they were measured.

    `group` is what runs have alike that differ by their seed alone; `NAME.low` and `NAME.high` bound the 95 % interval.
    """
    settings = differing(records)
    group_of = {run.path: group.name for group in table.groups for run in group.runs}
    return [
        {"run": record.name, "group": group_of[record.path], **dict(_values(record, settings, only))}
        for record in records
    ]


def write_csv(path: Path, found: Sequence[Mapping[str, Any]]) -> None:
    """These `rows` as a line each, whose text no spreadsheet takes for a formula."""
    lines = [{cell(name): cell(value) for name, value in row.items()} for row in found]
    columns = list(dict.fromkeys(name for line in lines for name in line))
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


def _values(record: Record, settings: Sequence[str], only: Sequence[str]) -> Iterator[tuple[str, Any]]:
    yield from ((name, record.settings.get(name)) for name in settings)
    yield from record.training.items()
    yield from record.judged.items()
    for name, figure in record.figures.items():
        if figure is None or (only and name not in only and name.partition("/")[0] not in only):
            continue
        yield name, figure.value
        if figure.error is not None:
            yield f"{name}.error", figure.error
        if figure.interval:
            yield f"{name}.low", figure.interval[0]
            yield f"{name}.high", figure.interval[1]
        if figure.reference is not None:
            yield f"{name}.reference", figure.reference


def write_markdown(path: Path, table: SideBySide) -> None:
    """A table as GitHub, pandoc and others read it, the best figures in bold."""

    def told(cell: Cell) -> str:
        text = _markdown(cell.text)
        text = f"**{text}**" if cell.best else text
        return f"{text}<br>{_markdown(cell.below)}" if cell.below else text

    lines = [_piped(["", *map(_markdown, table.columns)]), _piped(["---", *("---:" for _ in table.columns)])]
    for part in table.parts:
        if part.heading:
            lines.append(_piped([f"*{_markdown(part.heading)}*", *("" for _ in table.columns)]))
        lines += [_piped([_markdown(row.name), *map(told, row.cells)]) for row in part.rows]
    below = [_markdown(note) for note in (*table.caveats, *_bold(table.notes))]
    _write(path, "\n".join(lines) + "\n" + "".join(f"\n{note}\n" for note in below))


def write_latex(path: Path, table: SideBySide) -> None:
    """A tabular of the package booktabs, the best figures in bold; what must be known to read it, as comments."""

    def told(cell: Cell) -> str:
        text = _latex(cell.text)
        text = rf"\textbf{{{text}}}" if cell.best else text
        return f"{text} ({_latex(cell.below)})" if cell.below else text

    count = len(table.columns)
    lines = [
        r"% \usepackage{booktabs}",
        *(f"% {printable(note)}" for note in (*table.caveats, *_bold(table.notes))),
        rf"\begin{{tabular}}{{l{'r' * count}}}",
        r"\toprule",
        _ampersands(["", *map(_latex, table.columns)]),
    ]
    for part in table.parts:
        lines.append(r"\midrule")
        if part.heading:
            lines.append(rf"\multicolumn{{{count + 1}}}{{l}}{{\emph{{{_latex(part.heading)}}}}} \\")
        lines += [_ampersands([_latex(row.name), *map(told, row.cells)]) for row in part.rows]
    _write(path, "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n")


def _bold(notes: Sequence[str]) -> list[str]:
    """The notes, where the best is not marked by an asterisk but is bold."""
    return [f"Bold{note[1:]}" if note.startswith("* ") else note for note in notes]


def _latex(text: str) -> str:
    """Text as LaTeX prints it, whatever stands in it."""
    return "".join(_LATEX.get(sign, sign) for sign in printable(text))


def _markdown(text: str) -> str:
    """Text as Markdown shows it, whatever stands in it."""
    return _MARKDOWN.sub(r"\\\1", printable(text))


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ampersands(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
