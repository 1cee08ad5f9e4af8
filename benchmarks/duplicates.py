"""What finding duplicates costs, and what it finds.

    python benchmarks/duplicates.py [MANIFEST.csv] [--sizes 10000 100000 1000000]

Groups synthetic signatures, of which a fifth are versions of others. With a manifest, which lists MIDI files beside it
(columns path, piece and source; versions share a piece), also the time a signature takes, the precision and recall of
the groups as pairs, and how many excerpts are found. Seconds are those of one CPU, so that other work on the machine
disturbs them less.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import psutil

from diffmidi_core.data.duplicates import (
    SIGNATURE_LENGTH,
    THRESHOLD,
    near_duplicates,
    nearest,
    notes_hash,
    signature,
)
from diffmidi_core.data.passages import common_passages, elements
from diffmidi_core.music.notes import notes_of
from diffmidi_core.music.reading import read_midi

THRESHOLDS = (0.05, 0.06, THRESHOLD, 0.1, 0.15, 0.2, 0.3, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    asked = parser.parse_args()
    if asked.manifest:
        measure_corpus(asked.manifest)
    for size in asked.sizes:
        measure_grouping(size)


def measure_grouping(size: int) -> None:
    signatures, versions, originals = synthetic(size)
    rss = psutil.Process().memory_info().rss
    begun = time.process_time()
    group = near_duplicates(signatures)
    spent = time.process_time() - begun
    found = np.mean(group[versions] == group[originals])
    largest = max(Counter(group.tolist()).values())
    print(
        f"{size:>9,} signatures of {signatures.nbytes / 2**20:,.0f} MiB grouped in {spent:,.1f} s; "
        f"{found:.1%} of {len(versions):,} versions found, {largest} in the largest group; "
        f"{peak_mib():,.0f} MiB at the peak ({rss / 2**20:,.0f} before)"
    )


def synthetic(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signatures [size, 128], which rows are versions, and of which rows.

    Unrelated rows agree in 0.1 % of their columns, ten times as often as in real music; a version agrees with its
    original in 10 to 100 %.
    """
    rng = np.random.default_rng(0)
    signatures = rng.integers(2**32 - 1, size=(size, SIGNATURE_LENGTH), dtype=np.uint32)
    versions = rng.permutation(size)[: size // 5]
    originals = rng.integers(size, size=len(versions))
    for rows in np.array_split(np.arange(size), max(size // 50_000, 1)):
        block = signatures[rows]
        common = rng.random(block.shape, dtype=np.float32) < 0.1
        block[common] = rng.integers(10, size=int(common.sum()), dtype=np.uint32)
        signatures[rows] = block
    for chosen in np.array_split(np.arange(len(versions)), max(size // 50_000, 1)):
        share = rng.uniform(0.1, 1, (len(chosen), 1))
        kept = rng.random((len(chosen), SIGNATURE_LENGTH)) < share
        signatures[versions[chosen]] = np.where(kept, signatures[originals[chosen]], signatures[versions[chosen]])
    return signatures, versions, originals


def peak_mib() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return psutil.Process().memory_info().peak_wset / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measure_corpus(manifest: Path) -> None:
    with open(manifest, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    scores = [read_midi(manifest.parent / row["path"]) for row in rows]
    pieces_of_music = [(notes_of(score), score.ticks_per_quarter) for score in scores]
    notes = sum(len(each) for each, _ in pieces_of_music)
    ways = {
        "hashes of notes": notes_hash,
        "signatures": lambda notes, ticks_per_quarter: signature(notes),
        "rows of elements": lambda notes, ticks_per_quarter: elements(notes),
    }
    for name, function in ways.items():
        best = min(seconds(function, pieces_of_music) for _ in range(3))
        print(
            f"{len(scores) / best:,.0f} {name}/s, {notes / best:,.0f} notes/s, {1e3 * best / len(scores):.2f} ms each"
        )

    signatures = np.stack([signature(each) for each, _ in pieces_of_music])
    pieces = np.array([row["piece"] for row in rows])
    said = pairs_in(pieces)
    print(f"\n{len(rows)} files, {said} pairs share a piece\n threshold  precision  recall  wrong pairs")
    for threshold in THRESHOLDS:
        group = near_duplicates(signatures, threshold)
        together, right = pairs_in(group), pairs_in(zip(group.tolist(), pieces, strict=True))
        print(f"{threshold:>10} {right / max(together, 1):>10.3f} {right / said:>7.3f} {together - right:>12}")

    print(f"\npairs at {THRESHOLD}, by source: found of those that share a piece, and others put together")
    group = near_duplicates(signatures)
    one, two = np.triu_indices(len(rows), k=1)
    together, same = group[one] == group[two], pieces[one] == pieces[two]
    sources = np.array([row["source"] for row in rows])
    kinds: dict[str, list[int]] = {}
    for pair in np.flatnonzero(together | same):
        kind = " - ".join(sorted((sources[one[pair]], sources[two[pair]])))
        counts = kinds.setdefault(kind, [0, 0, 0])
        counts[0] += int(together[pair] and same[pair])
        counts[1] += int(same[pair])
        counts[2] += int(together[pair] and not same[pair])
    for kind, (right, every, wrong) in sorted(kinds.items()):
        print(f"{kind:30} {right:>4} of {every:>4} {wrong:>6}")
    measure_excerpts([notes for notes, _ in pieces_of_music], pieces, sources)


def measure_excerpts(music, pieces, sources) -> None:
    """Of one excerpt of each piece, from a random place, how many are put to their piece, and how many to another."""
    known, signatures = [elements(notes) for notes in music], np.stack([signature(notes) for notes in music])
    print("\nexcerpts found: by passages; by signatures alone; put to another piece")
    rng = np.random.default_rng(0)
    for size in (0.25, 0.1, 0.05, 16, 24, 32, 40, 48, 64, 96):
        which = [row for row, notes in enumerate(music) if size < 1 or len(notes) >= size]
        parts = []
        for notes in (music[row] for row in which):
            count = int(len(notes) * size) if size < 1 else size
            begin = rng.integers(0, len(notes) - count + 1)
            parts.append(notes[begin : begin + count])
        rows, _ = common_passages([elements(part) for part in parts], known)
        right = (rows >= 0) & (pieces[rows] == pieces[which])
        near, similarity = nearest(np.stack([signature(part) for part in parts]), signatures)
        before = (similarity >= THRESHOLD) & (pieces[near] == pieces[which])
        said = ", ".join(f"{source} {right[sources[which] == source].mean():.1%}" for source in np.unique(sources))
        name = f"{size:.0%} of a piece" if size < 1 else f"{size} notes"
        print(f"{name:>14}: {right.mean():.1%}; {before.mean():.1%}; {((rows >= 0) & ~right).sum()} ({said})")


def pairs_in(labels: Iterable[object]) -> int:
    """Pairs of rows with one label."""
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())


def seconds(function, pieces_of_music) -> float:
    begun = time.process_time()
    for each in pieces_of_music:
        function(*each)
    return time.process_time() - begun


if __name__ == "__main__":
    main()
