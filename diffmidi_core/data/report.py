"""The report of a preparation: what was found, what was kept, what was left out and why, and what was lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from diffmidi_core.checksums import verify
from diffmidi_core.data.timing import Timing
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import read_json
from diffmidi_core.music.repairs import REPAIRS, Counts
from diffmidi_core.numbers import percent_text

REPORT, TOKENS = "data.json", "tokens.arrow"
_AGAIN = "prepare the music again, for a new run."

SILENT_CHANGES = ("drums", "clamped_shift", "clamped_rest", "metre_replaced")
"""What tokenizers count that is no note changed for the worse, or is reported otherwise."""

PLAYED = 20
"""Performances are remarked on where one piece in so many is one."""
OFF = 0.2
"""A share of the split is remarked on where it is so much smaller or larger than asked, as a part of itself."""


@dataclass
class Report:
    """What a preparation found; saved as data.json.

    Attributes:
        plan: names what was prepared and how; a stopped preparation goes on where its plan is the same.
        found: pieces of the source: kept, or one of the following.
        refused: the sentence of each piece that cannot be used, by reason.
        duplicates: pieces left out because an earlier one has the same notes; `copies` names them, and says whether
            the files are the same `bytes` or only have the same `notes`.
        near_duplicates: how many `groups` there are of pieces that are versions of each other, how many `pieces` are
            in them, how many in the `largest`, which begins with those `in_largest`; and those that were `dropped`,
            where that was asked for.
        read: what reading counted, of all kept pieces: `note_ons` in their files and `notes_read` of them, how many
            pieces have a sustain pedal (`with_pedal`), how many notes it lengthens (`sustained`, where that was asked
            for), how many notes are in tracks that are not the piano's (`other_notes`) and in how many pieces
            (`with_others`), and repairs, as `repairs.Counts` names them.
        repaired: the pieces in whose files something was repaired, by what it was.
        changed: notes (or what else it names) that the tokenizer changed, by what it did.
        one_velocity: pieces all of whose notes are equally loud.
        timing: pieces whose timing is not what the file says, as `Timing` names it: off_grid, late, one_beat.
        in_seconds: whether the tokens count seconds, not beats.
        round_trip: what the round trip of `pieces` pieces loses: absolute errors, and notes `lost`.
        labels: what labels there are, as `LabelSummary` has it.
        typical: the median `tempo` and the commonest `metre` of the training pieces, as `TypicalSummary` has it.
        heldout_share, test_share: what share of the pieces was to be held out, and to test.
        heldout, test: how many pieces are.
        grouped: `by` what groups were named that had to stay on one side, how many `groups` and `pieces` in them.
        largest_group: pieces of the largest group that had to stay on one side.
        files: checksums of the other files of the dataset, by their paths in its folder.
        tokenizer: the tokenizer's fingerprint.
        fingerprint: names the tokens of all pieces.
    """

    found: int = 0
    kept: int = 0
    duplicates: int = 0
    refused: dict[str, list[str]] = field(default_factory=dict)
    copies: list[dict[str, str]] = field(default_factory=list)
    near_duplicates: dict[str, Any] = field(default_factory=dict)
    notes: int = 0
    hours: float = 0.0
    words: int = 0
    read: dict[str, int] = field(default_factory=dict)
    repaired: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    one_velocity: int = 0
    timing: dict[str, int] = field(default_factory=lambda: {str(flag.name).lower(): 0 for flag in Timing})
    in_seconds: bool = False
    round_trip: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    typical: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    heldout_share: float = 0.1
    heldout: int = 0
    test_share: float = 0.0
    test: int = 0
    grouped: dict[str, Any] = field(default_factory=dict)
    largest_group: int = 0
    files: dict[str, str] = field(default_factory=dict)
    tokenizer: str = ""
    fingerprint: str = ""
    plan: str = ""

    @property
    def dataset_fingerprint(self) -> str:
        """Names all that training sees of the pieces: their tokens, what is known of them, and how they are split."""
        return self.files[TOKENS][:16]

    def refuse(self, reason: str, sentence: str) -> None:
        """Count and name a piece that cannot be used."""
        self.refused.setdefault(reason, []).append(sentence)

    def add_reading(self, piece: str, counts: Counts) -> None:
        """Add what was counted as a piece was read."""
        for what, many in counts.items():
            self.read[what] = self.read.get(what, 0) + many
            if what in REPAIRS and many:
                self.repaired.setdefault(what, []).append(piece)

    @property
    def refusals(self) -> int:
        """How many pieces cannot be used."""
        return sum(map(len, self.refused.values()))

    def nothing_kept(self) -> str:
        """The sentence for a source none of whose pieces can be used."""
        why = "; ".join(f"{len(names)} {reason.replace('_', ' ')}" for reason, names in sorted(self.refused.items()))
        first = next((names[0] for names in self.refused.values()), "")
        none = "the only piece cannot be used" if self.found == 1 else f"none of the {self.found} pieces could be used"
        return f"{none} ({why}). The first: {first}"

    def summary(self) -> dict[str, Any]:
        """The report in one line's worth of figures."""
        return {
            "pieces": self.kept,
            "held out": self.heldout,
            "test": self.test,
            "notes": self.notes,
            "words": self.words,
            "duplicates": self.duplicates,
            "refused": self.refusals,
        }

    def remarks(self) -> Iterator[str]:
        """What the user should know before training on these data, a sentence each."""
        if self.one_velocity * 4 >= self.kept:
            yield (
                f"velocity is constant in {_percent(self.one_velocity, self.kept)} of the pieces: "
                "there its tokens carry no information."
            )
        if self.refusals * 10 >= self.found:
            commonest = max(self.refused, key=lambda reason: len(self.refused[reason]))
            yield (
                f"{_percent(self.refusals, self.found)} of the pieces cannot be used, "
                f"most of them for one reason: {commonest.replace('_', ' ')}."
            )
        if (played := self.timing["off_grid"]) * PLAYED >= self.kept and not self.in_seconds:
            yield (
                f"{_percent(played, self.kept)} of the pieces keep no beat, as recorded performances do: their onsets "
                "fit no grid of quarter notes, and rounded to one they lose their timing. Count milliseconds: "
                "--tokenizer mmm -o tokenizer.grid=10ms."
            )
        struck, read = self.read.get("note_ons", 0), self.read.get("notes_read", 0)
        if struck > read:
            yield f"{struck - read:,} of the {struck:,} notes in the files could not be read."
        pedal = self.read.get("with_pedal", 0)
        if pedal and "sustained" not in self.read:
            yield (
                f"{_percent(pedal, self.kept)} of the pieces have a sustain pedal, and notes are as long as their keys "
                "are held: with -o prepare.sustain=true they are as long as they are heard."
            )
        if others := self.read.get("other_notes", 0):
            yield (
                f"{others:,} notes in {self.read['with_others']:,} of the pieces are other instruments', and were left "
                "out: --tracks chooses which tracks are the piano's, and `--tracks all` takes every one."
            )
        lost, measured = self.round_trip.get("lost", 0), self.round_trip.get("notes", 0)
        if lost * 50 > measured:
            yield f"{_percent(lost, measured)} of the notes are lost in the tokenizer's round trip."
        if self.heldout == 0:
            yield "no piece is held out, so nothing can be measured on music that the model has not seen."
        elif self.heldout < 5 <= self.kept:
            yield f"only {self.heldout} of the {self.kept} pieces are held out: figures on them will be uncertain."
        for what, pieces, share in (
            ("held out", self.heldout, self.heldout_share),
            ("test", self.test, self.test_share),
        ):
            # A piece more or less is what whole pieces cost; more is what groups do.
            if self.largest_group > 1 and abs(pieces - share * self.kept) > max(1.0, share * self.kept * OFF):
                yield (
                    f"{_percent(pieces, self.kept)} of the pieces are {what}, where {percent_text(share)} was asked "
                    f"for: groups of pieces stay whole, and the largest has {self.largest_group:,}."
                )


def read_report(folder: Path) -> Report:
    """The report of a token dataset. Raises DiffmidiError where there is none."""
    try:
        report = TypeAdapter(Report).validate_python(read_json(folder / REPORT))
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        where = ".".join(map(str, mistake["loc"])) or "all of it"
        reason = f"{where}: {str(mistake['msg']).lower()}"
        raise DiffmidiError(f"{folder / REPORT} is not of prepared music ({reason}): {_AGAIN}") from None
    if TOKENS not in report.files:
        raise DiffmidiError(f"{folder / REPORT} has no checksums of prepared music: {_AGAIN}")
    return report


def check_files(folder: Path) -> None:
    """Raises DiffmidiError where a file of a token dataset is missing, or not as it was written."""
    verify(folder, read_report(folder).files, _AGAIN)


def figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """What data.json holds without its lists of pieces, which may be as long as the set: numbers stand for them."""
    return {
        **report,
        "refused": {reason: len(sentences) for reason, sentences in report["refused"].items()},
        "copies": len(report["copies"]),
        "repaired": {what: len(pieces) for what, pieces in report.get("repaired", {}).items()},
        "near_duplicates": {
            what: len(value) if isinstance(value, list) else value
            for what, value in report["near_duplicates"].items()
            if what != "in_largest"
        },
    }


def _percent(part: int, whole: int) -> str:
    return percent_text(part / max(whole, 1))
