"""A listening test: one page with pieces of several sources in random order and without names, and its key."""

from __future__ import annotations

import csv
import hashlib
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from diffmidi_core.contracts.report import Section
from diffmidi_core.errors import DiffmidiError, RefusedError, UsageError
from diffmidi_core.files import whole_file
from diffmidi_core.music.reading import read_midi
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.show.cards import data_url, piece_style
from diffmidi_core.show.compare import ends
from diffmidi_core.show.render import write_wav
from diffmidi_core.show.report import page_html, write
from diffmidi_core.show.sound import read_mono, resample, wav_bytes
from diffmidi_core.wording import cell, printable

PAGE, KEY = "listening-test.html", "key.csv"
KEY_COLUMNS = ("test", "piece", "source", "file", "seconds")
MIDI = (".mid", ".midi")
RATES = (24_000, 16_000, 12_000)
MOST = 60_000_000
"""Bytes of sound in the page."""
LONGEST = 120.0
"""Seconds of a piece that are heard at most."""
_FADE = 0.5
"""Seconds over which a piece that is cut dies away."""
_SILENCE = 10.0
"""Level, of 32,767, under which what comes before the first note is cut: where it begins may tell a source."""
_PEAK = 0.89 * (2**15 - 1)
"""All pieces are as loud at their loudest: -1 dBFS."""

Mono = NDArray[np.float64]


@dataclass(frozen=True)
class Excerpt:
    """A piece of a source as sound: [frames] at `rate`."""

    source: str
    file: Path
    sound: Mono
    rate: int


def write_test(
    sources: Sequence[Path],
    out: Path,
    *,
    pieces: int = 8,
    seed: int = 0,
    seconds: float | None = None,
    warn: Callable[[str], None],
) -> tuple[Path, Path, float]:
    """Write the page and its key into the folder `out`; gives both, and how many seconds of each piece are heard.

    All pieces are rendered anew by the same renderer, made as loud, and cut to one length, so that nothing but the
    music tells whose they are.

    Args:
        sources: runs, draws, or folders of MIDI files: two at least.
        pieces: of each source, chosen at random.
        seed: what the choice and the order follow from.
        seconds: of each piece at most; None: as many as the pieces of the source with the shortest ones typically last.
        warn: told of files that cannot be used.

    Raises DiffmidiError, UsageError.
    """
    if len(sources) < 2:
        raise UsageError("--blind compares two sources or more: name runs, draws or folders of MIDI files.")
    if len({path.resolve() for path in sources}) < len(sources):
        raise UsageError("--blind: one source is named twice; name each once.")
    for name in (PAGE, KEY):
        if (out / name).exists():
            raise UsageError(f"{out / name} is there already, and its ratings need its key: choose another --out.")
    names = [printable(name) for name in ends([str(path.resolve()) for path in sources])]
    rng = random.Random(seed)
    found: list[list[Excerpt]] = []
    for name, files in zip(names, [midi_files(path) for path in sources], strict=True):
        rng.shuffle(files)
        found.append(_heard(name, files, pieces, warn))
    if seconds is None:
        seconds = min(median(len(each.sound) / each.rate for each in some) for some in found)
    excerpts = [each for some in found for each in some]
    rng.shuffle(excerpts)
    rate = next((rate for rate in RATES if len(excerpts) * seconds * rate * 2 <= MOST), None)
    if rate is None:
        raise UsageError(
            f"{len(excerpts)} pieces of {seconds:.0f} seconds do not fit into one page: ask for fewer --pieces, or "
            "for fewer --seconds."
        )
    sounds = [_excerpt(each, seconds, rate) for each in excerpts]
    test = hashlib.sha256(b"".join(sounds)).hexdigest()[:12]
    cards = [(f"{number:02d}", data_url("audio/wav", sound)) for number, sound in enumerate(sounds, 1)]
    _write_key(out / KEY, test, excerpts, seconds)
    style = Markup("<style>{}{}</style>").format(piece_style(), page_html("blind.css"))
    body = page_html("blind.html", cards=cards, test=test)
    write(out / PAGE, "Listening test", [Section("Pieces", [style, body])], kind="diffmidi", script="blind.js")
    return out / PAGE, out / KEY, seconds


def midi_files(path: Path) -> list[Path]:
    """The MIDI files of a run's newest draw, of a draw, or of a folder, in order. Raises DiffmidiError for none."""
    draw = DrawFolder(path) if (path / "request.json").is_file() else None
    if draw is None and (path / "config.json").is_file():
        draw = RunFolder.open(path).draw(None)
    if draw is not None:
        files = draw.files(draw.pieces(), ".mid")
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in MIDI and file.is_file())
    else:
        files = [path] if path.suffix.lower() in MIDI and path.is_file() else []
    if not files:
        raise DiffmidiError(f"{path} is no run, no draw and no folder with MIDI files: there is nothing to listen to.")
    return files


def _heard(name: str, files: Sequence[Path], most: int, warn: Callable[[str], None]) -> list[Excerpt]:
    """The first `most` of the files that can be heard."""
    found: list[Excerpt] = []
    with tempfile.TemporaryDirectory(prefix="diffmidi-") as folder:
        wav = Path(folder) / "piece.wav"
        for file in files:
            if len(found) == most:
                break
            try:
                score = read_midi(file)
                write_wav(score, wav)
            except RefusedError as error:
                warn(f"{printable(file)} is left out: {error}")
                continue
            mono, rate = read_mono(wav)
            loud = np.flatnonzero(abs(mono) > _SILENCE)
            if not len(loud):
                warn(f"{printable(file)} is left out: it is silent.")
                continue
            found.append(Excerpt(name, file, mono[loud[0] :][: round(LONGEST * rate)].copy(), rate))
    if not found:
        raise DiffmidiError(f"no piece of {name} can be heard: see the warnings above.")
    if len(found) < most:
        warn(f"{name} has {len(found)} pieces that can be heard, fewer than the {most} asked for.")
    return found


def _excerpt(piece: Excerpt, seconds: float, rate: int) -> bytes:
    """As a .wav: the first so many seconds, dying away where it is cut, as loud as all others."""
    length = round(seconds * piece.rate)
    mono = piece.sound[:length].copy()
    if len(piece.sound) > length:
        fade = min(len(mono), round(_FADE * piece.rate))
        mono[len(mono) - fade :] *= np.linspace(1, 0, fade)
    small = resample(mono, piece.rate, min(rate, piece.rate))
    return wav_bytes(small * (_PEAK / max(1.0, float(abs(small).max()))), min(rate, piece.rate))


def _write_key(path: Path, test: str, excerpts: Sequence[Excerpt], seconds: float) -> None:
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(KEY_COLUMNS)
        for number, each in enumerate(excerpts, 1):
            heard = round(min(seconds, len(each.sound) / each.rate), 2)
            writer.writerow([test, f"{number:02d}", cell(each.source), cell(str(each.file)), heard])
