"""What becomes of notes in the round trip through tokens: none is lost for nothing, and each keeps its length."""

from __future__ import annotations

from collections import Counter

import numpy as np

from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.errors import RefusedError
from diffmidi_core.music.notes import Notes, Score, notes_of
from diffmidi_core.music.toy import from_rows, toy_scores
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect
from diffmidi_core.testing.variants import whatever_the_options

PLAIN = ("tune", "scale", "chords")
"""Toy scores in the middle of the keyboard, on the beat, that any tokens of notes can tell."""
KEPT = 0.9


@whatever_the_options
def check_plain_notes_are_not_lost(component: Component) -> None:
    """Of plain music nearly all notes come back, whatever encode_counted says that it left out."""
    tokenizer: Tokenizer = component.build()
    for name in PLAIN:
        if (back := _round_trip(tokenizer, toy_scores()[name])) is None:
            continue
        pitches, others = Counter(notes_of(toy_scores()[name]).pitch.tolist()), Counter(back.pitch.tolist())
        kept, there = (pitches & others).total(), pitches.total()
        expect(
            kept >= KEPT * there and others.total() <= there / KEPT,
            f"{name}: of {there} plain notes {kept} come back, among {others.total()}: look at what encode leaves out",
        )


@whatever_the_options
def check_longer_notes_stay_longer(component: Component) -> None:
    """Notes of one, two and four quarter notes come back in this order of length; so do short ones."""
    tokenizer: Tokenizer = component.build()
    if "duration" not in tokenizer.roles.values():
        return  # nothing says that its tokens tell lengths
    lengths = (1, 2, 4, 0.5, 1, 3)
    score = from_rows([(5.0 * i, length, 60 + i, 80) for i, length in enumerate(lengths)])
    if (back := _round_trip(tokenizer, score)) is None or len(back.duration) != len(lengths):
        return  # check_plain_notes_are_not_lost says so
    found = back.duration[np.argsort(back.pitch)]
    expect(
        len(set(found.tolist())) > 1,
        f"notes of {lengths} quarter notes all come back with one length: look at the durations in encode and decode",
    )
    wrong = [
        (one, two)
        for i, one in enumerate(lengths)
        for j, two in enumerate(lengths)
        if one < two and found[i] > found[j]
    ]
    expect(not wrong, f"a longer note comes back shorter than a short one (quarter notes): {wrong[:2]}")


def check_notes_keep_their_distance(component: Component) -> None:
    """Onsets come back in order, as far apart as they were among each other; by its smallest options."""
    tokenizer: Tokenizer = component.build()
    if not {"time", "bar"} & {*tokenizer.roles.values()}:
        return  # nothing says that its tokens tell time
    onsets = (0.0, 0.5, 1.5, 2.0, 3.0)
    score = from_rows([(onset, 0.5, 60 + i, 80) for i, onset in enumerate(onsets)])
    if (back := _round_trip(tokenizer, score)) is None or len(back.onset) != len(onsets):
        return
    found = back.onset[np.argsort(back.pitch)].astype(float)
    gaps, wanted = np.diff(found), np.diff(onsets)
    expect((gaps > 0).all(), f"notes at the quarter notes {onsets} come back in another order, or at once")
    ratios = gaps / wanted
    told = (found / max(found[1], 1.0)).round(2).tolist()
    expect(
        float(ratios.max() / ratios.min()) < 1.5,
        f"notes at the quarter notes {onsets} come back at {told}"
        " times the first distance: look at how time passes in encode and decode",
    )


def _round_trip(tokenizer: Tokenizer, score: Score) -> Notes | None:
    try:
        return notes_of(tokenizer.decode(tokenizer.encode(score)))
    except RefusedError:
        return None
