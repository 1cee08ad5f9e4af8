"""The table of a preparation: what was found, kept and left out, and what is lost in the round trip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from diffmidi.api.hook import count_text, counted, figure_text, percent_text

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
    """A table of what data.json holds, for a dataset in `folder`."""
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
    yield "found", count_text(report["found"]), ""
    yield (
        "kept",
        count_text(report["kept"]),
        f"{count_text(report['heldout'])} of them held out, {count_text(report['test'])} to test",
    )
    if report["copies"]:
        yield "copies left out", count_text(len(report["copies"])), _named(_pairs(report["copies"]))
    if (grouped := report["grouped"]).get("groups"):
        groups = f"in {counted(grouped['groups'], 'group')} by {grouped['by']}, each on one side of the split"
        yield "grouped", count_text(grouped["pieces"]), groups
    near = report["near_duplicates"]
    if near.get("dropped"):
        yield "versions left out", count_text(len(near["dropped"])), _named(_pairs(near["dropped"]))
    elif near.get("groups"):
        groups = f"{count_text(near['groups'])} groups, each" if near["groups"] > 1 else "one group,"
        yield "versions", count_text(near["pieces"]), f"in {groups} on one side of the split"
        yield "largest group", count_text(near["largest"]), _named(near["in_largest"], near["largest"])
    for reason, sentences in sorted(report["refused"].items(), key=lambda each: -len(each[1])):
        yield f"refused: {reason.replace('_', ' ')}", count_text(len(sentences)), _named(sentences)
    for what, pieces in sorted(report.get("repaired", {}).items(), key=lambda each: -len(each[1])):
        yield f"repaired: {what.replace('_', ' ')}", count_text(len(pieces)), _named(pieces)


def _music(report: Mapping[str, Any]) -> Iterator[Row]:
    yield "hours of music", figure_text(report["hours"]), ""
    yield "notes", count_text(report["notes"]), ""
    read = report.get("read", {})
    if read.get("note_ons"):
        yield "note-ons", count_text(read["note_ons"]), f"in the files, and {count_text(read['notes_read'])} notes read"
    if read.get("other_notes"):
        pieces = counted(read["with_others"], "piece")
        yield "other instruments", count_text(read["other_notes"]), f"notes in {pieces}, left out; see --tracks"
    if read.get("with_pedal"):
        many = counted(read["with_pedal"], "piece")
        if "sustained" in read:
            longer = read["sustained"] / max(report["notes"], 1)
            yield (
                "under the pedal",
                percent_text(longer),
                f"of the notes are longer than their keys are held, in {many}",
            )
        else:
            yield "with a pedal", many, "which is left out: notes are as long as their keys are held"
    typical = report.get("typical", {})
    if "tempo" in typical:
        yield "tempo", figure_text(typical["tempo"]), "quarter notes a minute, the median of the training pieces"
    if "metre" in typical:
        yield "metre", "/".join(map(str, typical["metre"])), "the commonest of the training pieces"
    yield "tokens", count_text(report["words"]), f"{figure_text(report['words'] / max(report['notes'], 1))} per note"


def _losses(report: Mapping[str, Any]) -> Iterator[Row]:
    for what, name, meaning in TIMING:
        if report["timing"][what]:
            yield name, count_text(report["timing"][what]), meaning
    for what, count in report["changed"].items():
        yield what.replace("_", " "), count_text(count), "changed by the tokenizer"
    loss = report["round_trip"]
    if not loss.get("notes"):
        return
    which = "all pieces" if loss["pieces"] >= report["kept"] else f"{counted(loss['pieces'], 'piece')} drawn by hash"
    yield "notes lost", percent_text(loss["lost"] / loss["notes"]), f"in the round trip, measured on {which}"
    for name, title, unit in (
        ("onset_ms", "onset error", "ms"),
        ("duration_ms", "duration error", "ms"),
        ("velocity", "velocity error", "of 127"),
    ):
        if name in loss:
            mean, most = loss[name]["mean"], loss[name]["p99"]
            yield (
                title,
                f"{figure_text(mean)} {unit}",
                f"on average; for 99 % of the notes at most {figure_text(most)} {unit}",
            )


def _pairs(copies: Sequence[Mapping[str, str]]) -> list[str]:
    return [f"{each['piece']} (of {each['of']})" for each in copies]


def _named(names: Sequence[str], of: int = 0) -> str:
    more = f"; {count_text(max(of, len(names)) - NAMED)} more in data.json" if len(names) > NAMED else ""
    return "; ".join(names[:NAMED]) + more
