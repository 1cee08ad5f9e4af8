"""What reading counts of a file, and what it calls the faults that it repairs. Light: nothing is imported here."""

from __future__ import annotations

from collections.abc import Mapping

Counts = Mapping[str, int]
"""What was counted as a piece was read, by name:

    note_ons        keys struck in the file, of all its tracks and channels; `notes_read`: those that became notes
    other_notes     notes in tracks that are not the piano's; `with_others`: 1 where there are any
    sustained       notes that the sustain pedal lengthens, where that was asked for
    and what was repaired, as in REPAIRS: how many tracks, events or keys it was
"""
REPAIRS = {
    "wrong_type": "header of type 2 or 3 for a single track",
    "uncounted_tracks": "tracks that the header does not count",
    "missing_tracks": "tracks that the header counts and that are not there",
    "long_tracks": "tracks that end before their length says",
    "illegal_events": "events with bytes that are not MIDI, left out",
    "unreleased_keys": "keys that no note-off lets go",
}


def repairs_in(counts: Counts) -> str:
    """What was repaired, as text, or ""."""
    return "; ".join(f"{text} ({counts[what]:,})" for what, text in REPAIRS.items() if counts.get(what))
