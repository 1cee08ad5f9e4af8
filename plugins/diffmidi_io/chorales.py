"""chorales: the pieces by Bach that come inside the installed music21 package, read by a reader of our own.

music21 itself is not imported. The music is read once (two seconds) and kept as arrays in the user's cache folder;
DIFFMIDI_CACHE names another one. The cache only saves time: it is made anew where it is missing, damaged or of another
version, and where it cannot be written there is none.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray
from symusic.core import TimeSignatureTick

from diffmidi.api import DiffmidiError, RefusedError, UsageError
from diffmidi.api.source import Notes, Piece, Score, Source, score_of, whole_file
from diffmidi_io.declarations import ChoralesOptions
from diffmidi_io.musicxml import TICKS_PER_QUARTER, Part, read_musicxml

VERSION = 1
"""Of what is cached. To be raised whenever the same files would be read as other notes, metres or groups."""
FORMAT = 2
"""Of the arrays that hold it. To be raised whenever others do."""
VELOCITY = 80
"""Of every note: the scores say nothing of loudness."""
INTERVALS = 6
"""How much of a melody names it: with six, versions of one hymn meet and different hymns do not (219 melodies)."""


class Chorales(Source):
    """Bach's chorales; ids are catalogue numbers, "bwv10.7". Settings of one hymn tune are one group."""

    options: ChoralesOptions

    def __init__(self, options: ChoralesOptions, *, data: str | None) -> None:
        super().__init__(options, data=data)
        if data is not None:
            raise UsageError("the source 'chorales' takes no --data: leave it out, or take the source 'folder'.")

    def pieces(self) -> Iterator[Piece]:
        """Every piece, sorted by id. Raises DiffmidiError where music21 or its corpus is not installed."""
        yield from self._corpus.pieces

    def read(self, piece: Piece) -> Score:
        """The piece for piano, all parts in one track or, with option `parts`, a track each, the first one the highest.

        Raises RefusedError where there is no such piece.
        """
        return self._corpus.score(piece.id, parts=self.options.parts)

    def stamp(self, piece: Piece) -> str:
        """The versions of music21 and of how its files are read."""
        return f"{self._version} parts" if self.options.parts else self._version

    @cached_property
    def _version(self) -> str:
        return f"{_installed()[1]} {VERSION}"

    @cached_property
    def _corpus(self) -> _Corpus:
        folder, version = _installed()
        cache = _cache_folder() / f"chorales-{version}-{VERSION}.{FORMAT}.npz"
        # Whatever may be wrong with a cache, it is no reason to stop.
        with contextlib.suppress(Exception):
            return _Corpus.load(cache)
        corpus = _Corpus.from_folder(folder)
        with contextlib.suppress(DiffmidiError):
            corpus.save(cache)
        return corpus


@dataclass(frozen=True)
class _Corpus:
    """All pieces as arrays: piece i has the notes and the metres from index `first_*[i]` up to `first_*[i + 1]`.

    Attributes:
        ids, groups: [P] text.
        notes: [N, 4] onset and duration in ticks, pitch, and the number of the part; by onset.
        metres: [M, 3] the tick from which it holds, beats in a bar, and the note value of a beat.
        first_note, first_metre: [P + 1].
    """

    ids: NDArray[np.str_]
    groups: NDArray[np.str_]
    notes: NDArray[np.int32]
    metres: NDArray[np.int32]
    first_note: NDArray[np.int64]
    first_metre: NDArray[np.int64]

    @classmethod
    def from_folder(cls, folder: Path) -> _Corpus:
        """Read every MusicXML file. Raises DiffmidiError where one cannot be read, or there is none."""
        found = [path for path in folder.iterdir() if path.suffix in (".mxl", ".xml")]
        paths = sorted(found, key=lambda path: path.stem)
        if not paths:
            raise DiffmidiError(f"there is no music in {folder}. {_INSTEAD}")
        pieces = [read_musicxml(path) for path in paths]
        notes = [
            sorted((*note, number) for number, part in enumerate(parts) for note in part.notes) for parts in pieces
        ]
        metres = [parts[0].metres for parts in pieces]
        return cls(
            np.array([path.stem for path in paths]),
            np.array([melody_group(parts) for parts in pieces]),
            np.array(list(itertools.chain(*notes)), np.int32),
            np.array(list(itertools.chain(*metres)), np.int32),
            np.cumsum([0, *map(len, notes)]),
            np.cumsum([0, *map(len, metres)]),
        )

    @classmethod
    def load(cls, path: Path) -> _Corpus:
        """Raises anything where the file is not what `save` wrote."""
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def save(self, path: Path) -> None:
        """Raises DiffmidiError where it cannot be written."""
        with whole_file(path) as temporary:
            np.savez_compressed(temporary, **{field.name: getattr(self, field.name) for field in fields(self)})

    @property
    def pieces(self) -> Iterator[Piece]:
        return map(Piece, self.ids.tolist(), self.groups.tolist())

    def score(self, name: str, *, parts: bool) -> Score:
        """A score made anew. Raises RefusedError."""
        index = int(np.searchsorted(self.ids, name))
        if index == len(self.ids) or self.ids[index] != name:
            raise RefusedError("missing", f"there is no piece '{name}' among the chorales.")
        onset, duration, pitch, part = self.notes[slice(*self.first_note[index : index + 2])].T.astype(np.int64)
        notes = Notes(onset, duration, pitch, np.full_like(pitch, VELOCITY))
        (_, *metre), *changes = self.metres[slice(*self.first_metre[index : index + 2])].tolist()
        tracks = [notes[part == number] for number in np.unique(part)] if parts else notes
        score = score_of(tracks, TICKS_PER_QUARTER, metre=(metre[0], metre[1]))
        for change in changes:
            score.time_signatures.append(TimeSignatureTick(*change))
        return score


def melody_group(parts: Sequence[Part]) -> str:
    """What settings of one tune share: the first intervals of the soprano in semitones, "+5 -2 -2 -1 -2 +2".

    Only notes on the beat count, and repeated ones once, so that passing notes, upbeats and keys make no difference.
    """
    melody = next((part for part in parts if part.name.startswith("Soprano") and part.notes), parts[0])
    on_beat = [pitch for onset, _, pitch in melody.notes if onset % TICKS_PER_QUARTER == 0]
    pitches = [pitch for pitch, _ in itertools.groupby(on_beat)][: INTERVALS + 1]
    return " ".join(f"{after - before:+}" for before, after in itertools.pairwise(pitches))


_INSTEAD = (
    "Install music21 with its corpus (pip install --force-reinstall music21), or give --data FOLDER of MIDI files."
)


def _installed() -> tuple[Path, str]:
    """Where music21 keeps its Bach, and music21's version; found without importing it."""
    spec = importlib.util.find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        raise DiffmidiError(f"the chorales come with music21, which is not installed. {_INSTEAD}")
    folder = Path(spec.submodule_search_locations[0]) / "corpus" / "bach"
    if not folder.is_dir():
        raise DiffmidiError(f"the installed music21 comes without its corpus (there is no {folder}). {_INSTEAD}")
    return folder, importlib.metadata.version("music21")


def _cache_folder() -> Path:
    return Path(os.environ.get("DIFFMIDI_CACHE") or platformdirs.user_cache_dir("diffmidi", appauthor=False))
