"""What share of drawing music in bars lies outside the network, by how many pieces are drawn together.

    python benchmarks/drawing.py MODEL [--pieces 1 8 16] [--steps 192] [--threads 1]

MODEL is a run, an export or an installed model. The network is what is round the backbone too: embeddings, heads. CPU
seconds of the process, the least of some rounds; with the digest of the pieces, which does not change while draws stay
what they were.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `diffmidi` has it

import torch

from diffmidi import Pipeline, Score
from diffmidi.api.tokenizer import notes_of


class Clock:
    """CPU seconds spent inside functions, calls of each other counted once."""

    def __init__(self) -> None:
        self.seconds, self._inside = 0.0, False

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time taken."""

        def call(*args: Any, **named: Any) -> Any:
            if self._inside:
                return function(*args, **named)
            begun, self._inside = time.process_time(), True
            try:
                return function(*args, **named)
            finally:
                self._inside = False
                self.seconds += time.process_time() - begun

        return call


def digest(pieces: list[Score]) -> str:
    """What stands for the notes of all pieces."""
    notes = [notes_of(piece) for piece in pieces]
    text = repr([[each.onset.tolist(), each.duration.tolist(), each.pitch.tolist()] for each in notes])
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--pieces", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--steps", type=int, default=192)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    pipeline, clock = Pipeline.from_pretrained(given.model), Clock()
    process: Any = pipeline.process
    for owner, name in (
        *((process, "enter"), (process, "leave"), (process, "leave_at")),
        *((process.backbone, "forward"), (process.backbone, "cached")),
    ):
        setattr(owner, name, clock.timed(getattr(owner, name)))
    pipeline.sample(length="2 bars", steps=8)
    print("| pieces | CPU s | in the network | outside | pieces drawn |\n| ---: | ---: | ---: | ---: | --- |")
    for pieces in given.pieces:
        found = []
        for _ in range(given.rounds):
            clock.seconds, begun = 0.0, time.process_time()
            drawn = pipeline.sample(pieces, length="8 bars", steps=given.steps, seed=1)
            found.append((time.process_time() - begun, clock.seconds, digest(drawn)))
        total, inside, told = min(found)
        print(f"| {pieces} | {total:.2f} | {inside:.2f} | {1 - inside / total:.0%} | {told} |", flush=True)


if __name__ == "__main__":
    main()
