"""The table of a preparation: what was found, kept and left out, and what the words lose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

NAMED = 3
"""Pieces that are named for each reason; data.json names them all."""

TIMING = (
    ("off_grid", "keep no beat", "pieces whose onsets fit no grid, as performances'"),
    ("late", "begin off the beat", "pieces all of whose onsets are late by the same amount, which is not rhythm"),
    ("one_beat", "bars of one beat", "pieces in a metre such as 1/4, which is read as none"),
)
"""What of a file's timing is not believed."""

Row = tuple[str, str, str]


def prepared(folder: Path, report: Mapping[str, Any]) -> Table:
    """A table of what data.json says, for a dataset in `folder`."""
    table = Table(title=escape(f"Token dataset in {folder}"), title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for rows in (_pieces(report), _music(report), _losses(report)):
        for row in rows:
            table.add_row(*map(escape, row))
        table.add_section()
    return table


def _pieces(report: Mapping[str, Any]) -> Iterator[Row]:
    yield "found", _number(report["found"]), ""
    yield (
        "kept",
        _number(report["kept"]),
        f"{_number(report['heldout'])} of them held out, {_number(report['test'])} to test",
    )
    if report["copies"]:
        yield "copies left out", _number(len(report["copies"])), _named(_pairs(report["copies"]))
    if (grouped := report["grouped"]).get("groups"):
        said = f"in {_number(grouped['groups'])} groups by {grouped['by']}, each on one side of the split"
        yield "grouped", _number(grouped["pieces"]), said
    near = report["near_duplicates"]
    if near.get("dropped"):
        yield "versions left out", _number(len(near["dropped"])), _named(_pairs(near["dropped"]))
    elif near.get("groups"):
        groups = f"{_number(near['groups'])} groups, each" if near["groups"] > 1 else "one group,"
        said = f"in {groups} on one side of the split"
        yield "versions", _number(near["pieces"]), said
        yield "largest group", _number(near["largest"]), _named(near["in_largest"], near["largest"])
    for reason, sentences in sorted(report["refused"].items(), key=lambda each: -len(each[1])):
        yield f"refused: {reason.replace('_', ' ')}", _number(len(sentences)), _named(sentences)
    for what, pieces in sorted(report.get("repaired", {}).items(), key=lambda each: -len(each[1])):
        yield f"repaired: {what.replace('_', ' ')}", _number(len(pieces)), _named(pieces)


def _music(report: Mapping[str, Any]) -> Iterator[Row]:
    yield "hours of music", f"{report['hours']:,.2f}", ""
    yield "notes", _number(report["notes"]), ""
    read = report.get("read", {})
    if read.get("note_ons"):
        yield "note-ons", _number(read["note_ons"]), f"in the files, and {_number(read['notes_read'])} notes read"
    if read.get("other_notes"):
        pieces = f"{_number(read['with_others'])} pieces"
        yield "other instruments", _number(read["other_notes"]), f"notes in {pieces}, left out; see --tracks"
    if read.get("with_pedal"):
        many = f"{_number(read['with_pedal'])} pieces"
        if "sustained" in read:
            longer = 100 * read["sustained"] / max(report["notes"], 1)
            yield "under the pedal", f"{longer:.3g} %", f"of the notes are longer than their keys are held, in {many}"
        else:
            yield "with a pedal", many, "which is left out: notes are as long as their keys are held"
    typical = report.get("typical", {})
    if "tempo" in typical:
        yield "tempo", f"{typical['tempo']:.3g}", "quarter notes a minute, the median of the training pieces"
    if "metre" in typical:
        yield "metre", "/".join(map(str, typical["metre"])), "the commonest of the training pieces"
    yield "words", _number(report["words"]), f"{report['words'] / max(report['notes'], 1):.2f} a note"


def _losses(report: Mapping[str, Any]) -> Iterator[Row]:
    for what, name, said in TIMING:
        if report["timing"][what]:
            yield name, _number(report["timing"][what]), said
    for what, count in report["changed"].items():
        yield what.replace("_", " "), _number(count), "changed by the tokenizer"
    loss = report["round_trip"]
    if not loss.get("notes"):
        return
    which = "all pieces" if loss["pieces"] >= report["kept"] else f"{_number(loss['pieces'])} pieces drawn by hash"
    yield "notes lost", f"{100 * loss['lost'] / loss['notes']:.2g} %", f"there and back, measured on {which}"
    for name, said, unit in (
        ("onset_ms", "onset error", "ms"),
        ("duration_ms", "duration error", "ms"),
        ("velocity", "velocity error", "of 127"),
    ):
        if name in loss:
            mean, most = loss[name]["mean"], loss[name]["p99"]
            yield said, f"{mean:.3g} {unit}", f"on average; for 99 % of the notes at most {most:.3g} {unit}"


def _pairs(copies: Sequence[Mapping[str, str]]) -> list[str]:
    return [f"{each['piece']} (of {each['of']})" for each in copies]


def _named(names: Sequence[str], of: int = 0) -> str:
    more = f"; {_number(max(of, len(names)) - NAMED)} more in data.json" if len(names) > NAMED else ""
    return "; ".join(names[:NAMED]) + more


def _number(value: int) -> str:
    return f"{value:,}"
