"""What a part needs around it to be tried: toy music as windows, and the smallest installed parts of other kinds."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.presets import default_names
from diffmidi_core.registry import Offer, find, offers
from diffmidi_core.sections import Part
from diffmidi_core.testing.expect import expect

LENGTH = 24
"""L of the windows that parts are tried on, [CLS] and [SEP] among them."""

WIDE = 512
"""Tokens in a window that is as long as its bars are."""


@contextlib.contextmanager
def same_weights(seed: int = 0) -> Iterator[None]:
    """Weights are drawn from torch's global generator: from one seed here, and the generator is put back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def generator(seed: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def smallest(kind: str, name: str, **context: Any) -> Any:
    """An installed part at its smallest."""
    offer = find(kind, name)
    with same_weights():
        return offer.build(offer.load().tiny, **context)


def toy_tokenizer() -> Tokenizer:
    """The tokenizer that runs have by default, at its smallest."""
    tokenizer: Tokenizer = smallest("tokenizer", default_name("tokenizer"))
    return tokenizer


def toy_process(family: str | None = None) -> Process:
    """The smallest process of a family, ours before others', in eval mode. Fails the check where none is installed."""
    process: Process = smallest("process", of_family(family).spelling, **context_of("process"))
    return process.eval()


def of_family(family: str | None) -> Offer:
    """An installed process of a family, ours before others'. Fails the check where there is none."""
    found = [offer for offer in offers("process") if offer.problem() is None and offer.process().family == family]
    expect(bool(found), f"no installed process is of the family {family!r}")
    return found[0]


def context_of(kind: str) -> dict[str, Any]:
    """What a part of this kind is given besides its options (contracts/ say what)."""
    if kind == "backbone":
        return {"length": LENGTH}
    if kind == "source":
        return {"data": None}
    if kind == "process":
        return {
            "tokenizer": toy_tokenizer(),
            "backbone": smallest("backbone", default_name("backbone"), length=LENGTH),
            "schedule": smallest("schedule", default_name("schedule")),
        }
    return {}


def toy_model() -> Any:
    """A small model that was never trained, as metrics ask one."""
    process = toy_process("masked")
    offer = of_family("masked")
    parts = {"process": Part(name=offer.name, package=offer.package)}
    length = WIDE if process.tokenizer.plan else LENGTH - 2
    return SimpleNamespace(process=process, tokenizer=process.tokenizer, length=length, bars=2, parts=parts)


def default_name(kind: str) -> str:
    """The part of a kind that runs have by default."""
    return str(default_names()[kind]["name"])


def toy_windows(tokenizer: Tokenizer) -> list[Ids]:
    """Windows of at most LENGTH - 2 tokens, cut at note boundaries out of the toy scores; of several lengths."""
    windows = []
    for score in toy_scores().values():
        ids = tokenizer.encode(score)
        ends = np.append(tokenizer.starts(ids), len(ids))
        fitting = ends[ends <= LENGTH - 2]
        windows.append(ids[: fitting[-1]])
    return [window for window in windows if len(window)]


def toy_batch(tokenizer: Tokenizer, rows: int = 6) -> Batch:
    """Windows of several lengths, shortest first, padded to the longest: [rows, L], L at most LENGTH."""
    windows = sorted(toy_windows(tokenizer), key=len)
    picked = [windows[row * (len(windows) - 1) // (rows - 1)] for row in range(rows)]
    ids = torch.full((rows, len(windows[-1]) + 2), tokenizer.pad_id)
    for row, window in zip(ids, picked, strict=True):
        row[: len(window) + 2] = torch.tensor([tokenizer.cls_id, *window.tolist(), tokenizer.sep_id])
    tokens = torch.tensor([len(window) for window in picked])
    return Batch(ids, torch.arange(ids.shape[1]) < tokens[:, None] + 2, tokens)


def toy_canvas(batch: Batch, kept: float = 0.0) -> Canvas:
    """A canvas in the shape of a batch: specials fixed, and a share `kept` of its tokens too; elsewhere [MASK]."""
    fixed = (batch.ids <= 3) | (torch.rand(batch.ids.shape, generator=generator(1)) < kept)
    return Canvas.of(batch.ids.masked_fill(~fixed, Tokenizer.mask_id), fixed, batch.attention_mask)


def in_new_process(code: str, *arguments: str) -> Any:
    """What `code` prints as JSON in a fresh interpreter with this one's path; `arguments` are its sys.argv[1:]."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    expect(done.returncode == 0, f"a new process failed: {''.join(done.stderr.splitlines()[-1:])}")
    return json.loads(done.stdout.splitlines()[-1])


def close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-4) -> bool:
    """Equal but for rounding in float32."""
    return bool(torch.allclose(ours.float(), theirs.float(), rtol=tolerance, atol=tolerance))
