"""Accompaniment judged: a melody kept and the piano drawn anew, beside pianists, D3PIA and simple answers.

    git clone https://github.com/jech2/D3PIA FOLDER
    python benchmarks/accompanying.py FOLDER --model starter [--count 100] [--seed 0] [--takes 4] [--out FILE.json]
    python benchmarks/accompanying.py --tiny --model starter

FOLDER has 885 segments of eight bars of POP909's test songs (MIT licence), each as a lead sheet, as pianists play it,
and as D3PIA (Choi et al. 2026) does. Segments are drawn from the seed, a second one of a song once every song has one.
The model is handed a file of three tracks, the melody as the voice and the two hands of a piano, of which all is drawn
except the voice, as `diffmidi infill FILE --track 1 --except` does it. What plays besides the melody:

- pianists: the truth.
- D3PIA: given the melody and the chords; trained on POP909's other songs.
- the model: given the melody. The first of its takes.
- best of its takes: the same takes, of which control `chords` chooses one. It is told one chord a bar, the longest, as
  the nearest that it has a symbol for.
- only chord pitches: given the melody, and in each bar only the pitch classes of its chords may be drawn, by regions.
- other song: what pianists play in a segment of another song; also moved to the key of this melody.
- chords, held: the notes of the lead sheet's chords.

What is measured of it (notes on a key that the melody holds down left out, of all ways alike):

- chord tones: the share of the time that its notes sound in which they are of the lead sheet's chord then.
- pitch classes: Σ min(p, q) of the twelve shares of sounding time, its own and the truth's, a mean over half bars in
  which the truth sounds.
- groove: the share of sixteenths in which both or neither of it and the truth have an onset.
- clashes: the share of its notes that sound together with a melody note a semitone away, in any octave.
- above: the share of its notes above a melody note that sounds with them.
- bars alike: how many pitch classes neighbouring bars share, of those that either has.
- key clarity: of it and the melody together, metric `key_clarity`.
- notes a bar, on beats (the share of onsets), lowest and highest pitch.
- overlap: metric `overlap_area` beside the truth, with an interval over segments.

Intervals of 95 % are bootstrapped over songs. `--out` is written row by row, and gone on with; `--midi` is where the
melody and each accompaniment are written as files.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from beside_melody import measured
from infilling import Kept
from lead_sheets import (
    BAR,
    BARS,
    END,
    GRID,
    PIANISTS,
    THEIRS,
    Rows,
    Segment,
    chosen,
    made_up,
    score_from,
    segments_of,
)

from diffmidi import Pipeline
from diffmidi.api.metric import KEYS, key_of
from diffmidi.api.renderer import write_midi
from diffmidi_controls.declarations import chords as chord_sets
from diffmidi_core.draw.filling import Computing
from diffmidi_core.registry import find
from diffmidi_core.request import Request
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.infill import Take, takes
from diffmidi_core.steer.regions import Region, Regions, regions
from diffmidi_core.steer.user_file import UserFile

MODEL, BEST, ONLY = "the model", "best of its takes", "only chord pitches"
OTHER, MOVED, HELD = "other song", "other song, in this key", "chords, held"
WAYS = (PIANISTS, THEIRS, MODEL, BEST, ONLY, OTHER, MOVED, HELD)
MEANS = (
    *("chord tones", "pitch classes", "groove", "clashes", "above", "bars alike", "key clarity"),
    *("notes a bar", "on beats", "lowest", "highest"),
)
VOICE, HANDS = "Voice", ("Piano, right hand", "Piano, left hand")
STARTS = (72, 48)
ROOTS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SYMBOLS = [root + kind for kind in ("", "m", "7", "m7", "maj7", "sus4", "dim", "aug") for root in ROOTS]
SETS = dict(zip(SYMBOLS, chord_sets(" ".join(SYMBOLS)), strict=True))
Row = dict[str, Any]


def handed(segment: Segment) -> UserFile:
    """The file that a model is handed: the melody, and a note in each hand's last bar, which are drawn anew.

    They say that there are such tracks, and that there are eight bars.
    """
    allowed = [pitch for pitch in range(128) if pitch % 12 in segment.classes(BARS - 1)]
    hands = [min(allowed, key=lambda pitch, near=near: abs(pitch - near)) for near in STARTS]
    score = score_from(
        segment.melody, *(np.array([[END - BAR, BAR, pitch]]) for pitch in hands), tempo=segment.tempo
    )  # fmt: skip
    for track, name in zip(score.tracks, (VOICE, *HANDS), strict=True):
        track.name = name
    return UserFile(score.dumps_midi(), f"{segment.song} {segment.name}")


def all_but_the_voice(file: UserFile) -> Asked:
    """As `--track 1 --except` asks."""
    return Asked.region(file, regions(track="1", inverted=True))


def chord_pitches(file: UserFile, segment: Segment) -> Asked:
    """In each bar the pitches of its chords, in both hands."""
    return Asked.region(
        file,
        Regions(
            tuple(
                Region(bars=(bar + 1, bar + 1), track=track, pitch=(pitch, pitch))
                for bar, track in product(range(BARS), ("2", "3"))
                for pitch in range(21, 109)
                if pitch % 12 in segment.classes(bar)
            )
        ),
    )


def symbol_of(classes: frozenset[int]) -> str:
    """The symbol of the chord that has the most in common with these pitch classes."""
    return max(SETS, key=lambda symbol: len(SETS[symbol] & classes) / len(SETS[symbol] | classes))


def new_notes(take: Take) -> Rows:
    """[N, 3] what a take has drawn."""
    new, scale = take.patched.new, GRID / take.asked.file.ticks
    rows = np.stack([np.rint(new.onset * scale), np.maximum(1, np.rint(new.duration * scale)), new.pitch], 1)
    return np.asarray(rows.astype(np.int64))


def drawn(pipeline: Pipeline, asked: Asked, request: Request) -> list[Take]:
    """The takes of a request as they come, not the best first."""
    return [take for some in takes(pipeline.model, asked, request, Computing(nullcontext)) for take in some]


def by_model(
    pipeline: Pipeline, segment: Segment, seed: int, count: int, steps: int | None
) -> dict[str, Callable[[], Rows]]:
    """How the model answers, by way."""
    file = handed(segment)
    progression = " ".join(symbol_of(segment.longest(bar).classes) for bar in range(BARS))
    one = pipeline.request(1, seed=seed, steps=steps)

    def best() -> Rows:
        controls = {"chords": {"progression": progression}}
        several = pipeline.request(count, seed=seed, steps=steps, redraws=0, controls=controls)
        found = drawn(pipeline, all_but_the_voice(file), several)
        return new_notes(min(found, key=lambda take: take.losses["chords"]))

    return {
        MODEL: lambda: new_notes(drawn(pipeline, all_but_the_voice(file), one)[0]),
        ONLY: lambda: new_notes(drawn(pipeline, chord_pitches(file, segment), one)[0]),
        BEST: best,
    }


def tonic(rows: Rows) -> int:
    """The pitch class of the major scale of the nearest key; 0 where there is none."""
    key = key_of(rows[:, 2], rows[:, 1])
    number = 0 if key is None else KEYS.index(key)
    return number % 12 if number < 12 else (number + 3) % 12


def moved(rows: Rows, semitones: int) -> Rows:
    """Transposed by at most a tritone."""
    return rows + np.array([0, 0, (semitones + 6) % 12 - 6])


def without_model(
    segment: Segment, segments: Sequence[Segment], random: np.random.Generator
) -> dict[str, Callable[[], Rows]]:
    """What needs no model, by way."""
    others = [each for each in segments if each.song != segment.song and len(each.played[PIANISTS])]
    other = others[int(random.integers(len(others)))]
    rows = other.played[PIANISTS]
    apart = tonic(segment.melody) - tonic(other.melody)
    found = {**segment.played, OTHER: rows, MOVED: moved(rows, apart), HELD: segment.sheet}
    return {way: lambda rows=rows: rows for way, rows in found.items()}


def interval(rows: Sequence[Row], name: str) -> tuple[float, float, float]:
    """The mean of a figure over segments, and its interval by drawing songs; NaN where it is of none."""
    songs = sorted({row["song"] for row in rows})
    sums = np.array(
        [
            [sum(values), len(values)]
            for song in songs
            for values in [[row[name] for row in rows if row["song"] == song and row[name] is not None]]
        ]
    ).reshape(-1, 2)
    if not sums[:, 1].sum():
        return (float("nan"),) * 3
    picks = np.random.default_rng(0).integers(len(songs), size=(2000, len(songs)))
    totals = sums[picks].sum(1)
    low, high = np.quantile(totals[:, 0] / np.maximum(1, totals[:, 1]), [0.025, 0.975])
    return float(sums[:, 0].sum() / sums[:, 1].sum()), float(low), float(high)


def overlap(rows: Sequence[Row], truth: Sequence[Row]) -> tuple[float, float, float] | None:
    """`overlap_area` over the segments; its interval is over pieces, not songs."""
    ours, theirs = (
        [
            {f"{name} {i}": value for name, vector in row["features"].items() for i, value in enumerate(vector)}
            for row in some
        ]
        for some in (rows, truth)
    )
    found = find("metric", "overlap_area").build({}).summarise(ours, theirs)
    if not isinstance(found, Mapping) or found["mean"].interval is None:
        return None
    return (found["mean"].value, *found["mean"].interval)


def table(rows: Sequence[Row]) -> str:
    """In Markdown, a figure and its interval by way."""
    heads = ("accompaniment", "segments", "silent", *MEANS, "overlap")
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    by_way = {way: [row for row in rows if row["way"] == way] for way in WAYS}
    for way, own in by_way.items():
        if own:
            cells = [cell(interval(own, name)) for name in MEANS]
            silent = sum(not row["notes"] for row in own)
            beside = overlap(own, by_way[PIANISTS]) if way != PIANISTS else None
            cells.append(cell(beside) if beside else "-")
            lines.append(f"| {' | '.join((way, str(len(own)), str(silent), *cells))} |")
    return "\n".join(lines)


def cell(values: tuple[float, float, float]) -> str:
    """0.512 [0.401, 0.6]."""
    mean, low, high = (f"{each:.3g}" for each in values)
    return f"{mean} [{low}, {high}]"


def write(path: Path, segment: Segment, rows: Rows) -> None:
    """The melody and an accompaniment, as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi(score_from(segment.melody, rows, tempo=segment.tempo), path)


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="a clone of D3PIA")
    parser.add_argument(
        "--model", help="a run, an exported folder, or the name of an installed model; by default only the rest"
    )
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--takes", type=int, default=4)
    parser.add_argument("--chosen", type=int, help="of how many segments the best of several takes is asked")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--tiny", action="store_true", help="a few segments of no music, in few steps")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--midi", type=Path)
    given = parser.parse_args(arguments)
    if given.folder is None and not given.tiny:
        parser.error("name a clone of D3PIA, or --tiny")
    torch.set_num_threads(1)
    if given.tiny:
        given.count, given.takes, given.steps = 2, 2, 2
        with tempfile.TemporaryDirectory(prefix="diffmidi-") as folder:
            segments = segments_of(made_up(Path(folder)))
    else:
        segments = segments_of(given.folder)
    kept = Kept(given.out)
    some = [*enumerate(chosen(segments, given.count, given.seed))]

    def add(number: int, segment: Segment, answers: Mapping[str, Callable[[], Rows]]) -> None:
        for way, answer in answers.items():
            if not kept.has(number=number, way=way):
                rows = answer()
                row = {"number": number, "song": segment.song, "segment": segment.name, "way": way}
                kept.add(row | measured(rows, segment))
                if given.midi:
                    write(given.midi / f"{number:03d} {segment.song} {segment.name} {way}.mid", segment, rows)

    for number, segment in some:
        add(number, segment, without_model(segment, segments, np.random.default_rng([given.seed, number])))
    if given.model:
        pipeline = Pipeline.from_pretrained(given.model, device="cpu")
        # What costs most comes last, so that a table of all else is there early.
        for ways, few in (((MODEL, ONLY), some), ((BEST,), some[: given.chosen])):
            for number, segment in few:
                answers = by_model(pipeline, segment, given.seed + number, given.takes, given.steps)
                add(number, segment, {way: answers[way] for way in ways})
    print(table(kept.rows))
    return kept.rows


if __name__ == "__main__":
    main()
