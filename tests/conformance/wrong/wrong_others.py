"""Schedules, tokenizers, metrics, listeners, sources and backbones that are wrong in one way each."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

from diffmidi.api import RefusedError, hookimpl
from diffmidi.api.backbone import Backbone
from diffmidi.api.metric import Figure, Metric
from diffmidi.api.schedule import NoiseSchedule
from diffmidi.api.source import Piece, Source
from diffmidi.api.tokenizer import Notes, notes_of, score_of
from diffmidi_core.music.toy import tune
from diffmidi_core.registry import find


class Falling(NoiseSchedule):
    def alpha_bar(self, t):
        return (1 - t) ** 2


class ByTheLargest(Falling):
    """Divides by the largest of what it was asked."""

    def alpha_bar(self, t):
        left = (1 - t) ** 2
        return left / left.max() if left.numel() else left


class BySum(Falling):
    """Sums up over the times that it was given."""

    def alpha_bar(self, t):
        return super().alpha_bar(t) + 1e-7 * t * (1 - t) * t.sum()


class Flattens(Falling):
    def alpha_bar(self, t):
        return super().alpha_bar(t).reshape(-1)


class NeedsSeveral(Falling):
    def alpha_bar(self, t):
        return super().alpha_bar(t) + 0 * t[0]


class Remembers(Falling):
    count = 0

    def alpha_bar(self, t):
        self.count += 1
        return super().alpha_bar(t) * (1 - 1e-4 * t * self.count).clamp(min=0)


class BetasRemember(Falling):
    count = 0

    def betas(self, steps):
        self.count += 1
        return super().betas(steps) * (1 - 1e-6 * self.count)


NoteTokens = type(find("tokenizer", "mmm").build({"layout": "aligned"}))


def changed(score, **columns):
    notes = notes_of(score)
    own = {name: getattr(notes, name) for name in ("onset", "duration", "pitch", "velocity")}
    own |= {name: change(own) for name, change in columns.items()}
    return score_of(Notes(**own), score.ticks_per_quarter)


def left_out(score, keep):
    notes = notes_of(score)
    columns = (getattr(notes, name)[keep(notes)] for name in ("onset", "duration", "pitch", "velocity"))
    return score_of(Notes(*columns), score.ticks_per_quarter)


class Changes(NoteTokens):
    """Encodes another score, and says that it changed something."""

    def other(self, score):
        return score

    def encode_counted(self, score):
        ids, counts = super().encode_counted(self.other(score))
        return ids, {**counts, "changed": 1}

    def encode_piece(self, score, notes=None):
        piece = super().encode_piece(self.other(score))
        return type(piece)(piece.ids, {**piece.changed, "changed": 1}, piece.starts, piece.notes, piece.timeline)


class LosesHalf(Changes):
    def other(self, score):
        return left_out(score, lambda notes: np.arange(len(notes.onset)) % 2 == 0)


class LosesLow(Changes):
    def other(self, score):
        return left_out(score, lambda notes: notes.pitch >= 60)


class LosesChords(Changes):
    """One note at a time."""

    def other(self, score):
        return left_out(score, lambda notes: np.append(True, np.diff(notes.onset) > 0)[: len(notes.onset)])


class OneLength(Changes):
    def other(self, score):
        return changed(score, duration=lambda own: np.full_like(own["duration"], score.ticks_per_quarter))


class Inverted(Changes):
    """What is long becomes short."""

    def other(self, score):
        quarter = score.ticks_per_quarter
        return changed(score, duration=lambda own: (quarter * 4 - own["duration"]).clip(min=quarter // 4))


class Marches(Changes):
    """Every note a quarter after the one before."""

    def other(self, score):
        quarter = score.ticks_per_quarter
        return changed(
            score, onset=lambda own: np.cumsum(np.append(0, np.diff(own["onset"]) > 0))[: len(own["onset"])] * quarter
        )


class OfNotes(Metric):
    subject = "samples"

    def measure(self, item):
        pitch = notes_of(item.score).pitch
        return {"value": self.value(pitch)}

    def value(self, pitch):
        return float(pitch.mean())

    def summarise(self, rows, reference=()):
        values = [row["value"] for row in rows]
        return Figure(float(np.mean(values)), "pitch", len(rows), "samples") if rows else None


class MeanOfNone(OfNotes):
    """NaN where there are no notes."""


class SpreadOfOne(OfNotes):
    """Infinite where there is one note."""

    def value(self, pitch):
        return math.inf if len(pitch) < 2 else float(pitch.std())


class RaisesInSilence(OfNotes):
    def value(self, pitch):
        return float(pitch.max())


class DividesRows(OfNotes):
    """Rows are finite, and the figure over rows without notes is not."""

    def measure(self, item):
        pitch = notes_of(item.score).pitch
        return {"value": float(pitch.sum()), "notes": float(len(pitch)), "several": float(len(pitch) > 2)}

    def summarise(self, rows, reference=()):
        if not rows:
            return None
        with np.errstate(all="ignore"):
            value = np.float64(sum(row["value"] for row in rows)) / np.float64(sum(row["several"] for row in rows))
        return Figure(float(value), "pitch", len(rows), "samples")


class NanWindow(Metric):
    subject = "likelihood"

    def measure(self, item):
        with np.errstate(all="ignore"):
            return {"bits": float(np.float64(item.bits) / np.float64(item.tokens))}

    def summarise(self, rows, reference=()):
        return Figure(float(np.mean([row["bits"] for row in rows])), "bits", len(rows), "windows") if rows else None


class ReferenceOfSilence(OfNotes):
    """Looks at the reference as if there were always notes in it."""

    def value(self, pitch):
        return float(len(pitch) > 2)

    def summarise(self, rows, reference=()):
        if not rows:
            return None
        there = [row["value"] for row in reference if row["value"]]
        beside = (sum(there) / len(there) if there else math.nan) if reference else None
        return Figure(1.0, "share", len(rows), "samples", reference=beside)


class Listener:
    def __init__(self, options):
        self.options = options


class EditsConfig(Listener):
    @hookimpl
    def run_started(self, folder, config, stage):
        config["stage"] = stage


class TakesScalars(Listener):
    @hookimpl
    def scalars(self, step, values):
        for name in list(values):
            values.pop(name)


class OneRunOnly(Listener):
    folder = None

    @hookimpl
    def run_started(self, folder):
        if self.folder not in (None, folder):
            raise RuntimeError("a second run")
        self.folder = folder


class NewFileOnly(Listener):
    """Cannot go on with a file that is there."""

    @hookimpl
    def run_finished(self, folder, stage):
        if stage == "run":
            (folder / "log.txt").open("x").close()


class NeedsLoss(Listener):
    last = None

    @hookimpl
    def scalars(self, step, values):
        self.last = values.get("loss", self.last)

    @hookimpl
    def run_finished(self, figures, stage):
        if stage == "train":
            round(self.last)


class RoundsNumbers(Listener):
    @hookimpl
    def scalars(self, step, values):
        for value in values.values():
            round(value)


class DividesByTotal(Listener):
    @hookimpl
    def progress(self, what, done, total):
        if total is not None:
            done / total


class WritesHere(Listener):
    @hookimpl
    def run_finished(self, folder, stage):
        Path("log.txt").write_text(stage)


class OwnFormat(Source):
    """Reads files that end in .own, of which the kit has none."""

    def pieces(self):
        found = sorted(Path(self.data).glob("*.own")) if self.data else []
        if not found:
            raise RefusedError("data", "there are no .own files.")
        yield from (Piece(each.name) for each in found)

    def read(self, piece):
        if not (Path(self.data or ".") / piece.id).exists():
            raise RefusedError("missing", f"there is no piece {piece.id}.")
        return tune()


def write_own(folder):
    """Some small pieces of the format."""
    for name in ("a", "b"):
        (folder / f"{name}.own").write_text("notes")
    return folder


def write_nothing(folder):
    """Says where they would be."""
    return folder


def write_and_forget(folder):
    """Does not say what --data is to be."""
    write_own(folder)


class NoPairs(Backbone):
    """Knows masks of rows alone; of pairs it takes what each column may see."""

    def __init__(self, options, *, length):
        super().__init__(options, length=length)
        self.width = 16
        self.own, self.others, self.places = nn.Linear(16, 16), nn.Linear(16, 16), nn.Embedding(length, 16)

    def forward(self, hidden, mask=None, positions=None):
        if mask is not None and mask.ndim == 3:
            mask = mask.any(1)
        where = torch.arange(hidden.shape[1]) if positions is None else positions
        hidden = hidden + self.places(where)
        seen = hidden.new_ones(hidden.shape[:2]) if mask is None else mask.to(hidden.dtype)
        mean = seen[:, None] @ self.others(hidden) / seen.sum(-1).clamp(min=1)[:, None, None]
        return (self.own(hidden) + mean).tanh()


class RefusesPairs(NoPairs):
    """Honest: it says that it takes none, and refuses them."""

    def forward(self, hidden, mask=None, positions=None):
        if mask is not None and mask.ndim == 3:
            raise RefusedError("mask", "this backbone takes no masks of pairs.")
        return super().forward(hidden, mask, positions)


class Exits(Falling):
    def alpha_bar(self, t):
        raise SystemExit(3)
