"""Tokenizers that each break one promise. Without torch, as ours are: a check builds them in a process of its own."""

from __future__ import annotations

import uuid

import numpy as np

from diffmidi_core.registry import find

NoteTokens = type(find("tokenizer", "mmm").build({"layout": "aligned"}))


class PartialDecode(NoteTokens):
    def decode(self, ids, timeline=None):
        if self.faults(ids):
            raise ValueError("these are no notes")
        return super().decode(ids, timeline)


class Forgetful(NoteTokens):
    """Loses the last note at each encoding, and does not say so."""

    def encode_counted(self, score):
        ids, changed = super().encode_counted(score)
        return ids[: self.starts(ids)[-1]] if len(ids) else ids, changed


class Untimely(NoteTokens):
    """Takes a timeline and forgets it."""

    def decode(self, ids, timeline=None):
        return super().decode(ids)


class Salted(NoteTokens):
    @property
    def fingerprint(self):
        return uuid.uuid4().hex


class NoBoundary(NoteTokens):
    def starts(self, ids):
        return np.arange(len(ids))


class Mistaken(NoteTokens):
    """Takes durations for velocities."""

    @property
    def roles(self):
        return {"duration": "velocity"}


class OffKey(NoteTokens):
    """Takes the pitches that leave the piano round to its other end."""

    def transposition(self, semitones):
        table = super().transposition(semitones)
        return np.where(table < 0, super().transposition(-semitones), table).astype(np.int32)
