"""What tests share: the golden numbers, and the smallest tokenizer, backbone and process."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diffmidi.api import Options
from diffmidi.api.backbone import Backbone
from diffmidi.api.tokenizer import Grammar, Tokenizer
from diffmidi_core.checksums import sealed
from diffmidi_core.diffusion.nearest import nearness
from diffmidi_core.registry import find, forget_installed

from .windows import windows as windows

F64 = torch.float64

# Tensors here are tiny: a second thread costs more than it brings, all the more when tests run side by side.
torch.set_num_threads(1)
# Runs are quicker without music of the installed starter.
os.environ.setdefault("DIFFMIDI_BESIDE", "none")


class Golden:
    """The numbers of tests/golden/diffusion_lm.json, with the inputs they were made from."""

    def __init__(self) -> None:
        self.blocks = json.loads((Path(__file__).parent / "golden" / "diffusion_lm.json").read_text(encoding="utf-8"))
        fixtures = self.blocks["fixtures"]
        v, d = torch.arange(7, dtype=F64)[:, None], torch.arange(4, dtype=F64)
        self.embeddings = torch.sin(0.5 + 1.7 * v + 0.9 * d * (v + 1))
        self.bias = 0.1 * torch.cos(torch.arange(7, dtype=F64))
        self.ids2, self.ids4 = torch.tensor(fixtures["ids2"]), torch.tensor(fixtures["ids4"])

    def __getitem__(self, block: str):
        return self.blocks[block]

    def noise(self, k: int, *shape: int) -> Tensor:
        j = torch.arange(math.prod(shape), dtype=F64)
        return (math.sqrt(2) * torch.sin(0.7 + 1.3 * k + 1.9 * j + 0.11 * j * j)).view(shape)

    def half(self, x: Tensor, t: Tensor, places: object = None) -> Tensor:
        """The denoiser `half`, told t in [0, 1) as ours are."""
        return 0.5 * x + 0.01 * t.view(-1, 1, 1)

    def nearest(self, x: Tensor) -> Tensor:
        """What a process whose embeddings are E makes of x when it clamps."""
        return self.embeddings[nearness(x, self.embeddings).argmax(-1)]

    def logits(self, x: Tensor) -> Tensor:
        return x @ self.embeddings.T + self.bias

    def close(self, ours: Tensor, entry) -> None:
        """Ours agrees with an entry's value: rtol 1e-8, atol 1e-9."""
        value = entry["value"] if isinstance(entry, dict) else entry
        torch.testing.assert_close(ours, torch.tensor(value, dtype=F64), rtol=1e-8, atol=1e-9)


@pytest.fixture(scope="session")
def golden() -> Golden:
    return Golden()


class Words(Tokenizer):
    """Specials and w0, w1, ...: a vocabulary and nothing behind it."""

    def __init__(self, count: int) -> None:
        super().__init__(Options())
        self._vocab = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(count)))

    @property
    def vocab(self) -> tuple[str, ...]:
        return self._vocab

    @property
    def grammar(self) -> Grammar:
        types = np.array([0] * 4 + [1] * (len(self._vocab) - 4))
        return Grammar(("special", "word"), types, np.array([[-1, 0]]))

    def encode_counted(self, score):
        raise NotImplementedError

    def decode(self, ids, timeline=None):
        raise NotImplementedError

    def starts(self, ids):
        return np.arange(len(ids))

    def count_notes(self, ids) -> int:
        return len(ids)


class MeanBackbone(Backbone):
    """Each position sees itself and the mean of all kept ones: enough for padding to leak where a mask is forgotten."""

    def __init__(self, width: int = 16) -> None:
        super().__init__(Options(), length=64)
        self.width = width
        self.own, self.others = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, hidden: Tensor, mask: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        weight = torch.ones_like(hidden[..., :1]) if mask is None else mask[..., None].to(hidden.dtype)
        mean = (hidden * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        return self.own(hidden) + self.others(mean).tanh()


@pytest.fixture
def rewrite():
    """Rewrites a manifest with other values, so that it looks as if it had been written with them."""

    def rewrite(file, **values):
        file.write_text(json.dumps(sealed({**json.loads(file.read_text()), **values})))

    return rewrite


@pytest.fixture
def make_process():
    """Makes a small process of a family by name, from seed 0: `make_process(words=8, steps=20, dim=16, ...)`."""

    def make(name: str = "gaussian", *, words: int = 8, schedule: str = "sqrt", **options):
        torch.manual_seed(0)
        return find("process", name).build(
            {**({"steps": 20, "dim": 16} if name == "gaussian" else {}), "time_width": 8, **options},
            tokenizer=Words(words),
            backbone=MeanBackbone(),
            schedule=find("schedule", schedule).build(),
        )

    return make


Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Little distributions that are really installed: a folder on sys.path with a module and its dist-info.

    `install("acme-midi", {"diffmidi.schedules": {"power": "acme:declared"}}, acme="source text")`.
    """
    made = 0
    written: set[str] = set()

    def install(package: str, groups: dict[str, dict[str, str]], *, version: str = "1.0", **modules: str) -> Path:
        nonlocal made
        made += 1
        site = tmp_path / f"site{made}"
        info = site / f"{package.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        sections = (
            f"[{group}]\n" + "\n".join(f"{name} = {target}" for name, target in entries.items())
            for group, entries in groups.items()
        )
        (info / "entry_points.txt").write_text("\n\n".join(sections) + "\n")
        for name, source in modules.items():
            (site / f"{name}.py").write_text(source)
            sys.modules.pop(name, None)
            written.add(name)
        monkeypatch.syspath_prepend(str(site))
        forget_installed()
        return site

    yield install
    monkeypatch.undo()
    for name in written:
        sys.modules.pop(name, None)
    forget_installed()
