"""What a classifier gains: how often pieces are what was asked, and what they cost a judge, as Diffusion-LM's table 1.

    python benchmarks/classifying.py MODEL CLASSIFIER [--judge RUN] [--targets 5] [--count 50] [--guidance 2 8 32]
        [--best-of 8] [--bars N] [--steps N] [--iterations 300] [--seeds 0] [--out FILE.json]
    python benchmarks/classifying.py --tiny

`--targets` are the commonest values of the classifier's label, and of each so many pieces of each seed are drawn with
each weight. Without guidance N times as many are drawn, the same for all targets, and of each N of them the best by the
guiding classifier, on music without noise. `exact` pieces have the value that was asked: labels of windows are
measured, and those of pieces are told by an examiner, a classifier of its own, trained here from another seed, on music
without noise alone (how often it is right on test music is told beside). Of values in order, `near` pieces have it or
one next to it. Fluency is bits per note under the judge, by default the model itself, which favours music that it finds
likely: name another run. Intervals are of 95 %: Wilson's, and of bits by resampling pieces.

Rows of `--out` are written one by one, and a run that was stopped goes on with them. `--tiny` makes its own music and
runs, of which the figures mean nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from wanting import Kept, bits, figures, table

from diffmidi import Pipeline
from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Ids, Notes, score_of
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.data.known_labels import KnownLabel
from diffmidi_core.data.told import obtained
from diffmidi_core.diffusion.classifier import Classifier
from diffmidi_core.draw.model import Model, open_classifier
from diffmidi_core.machine.build import build_process
from diffmidi_core.train.classifying import Labelled

ROWS, RATE, EXAMINER = 16, 1e-3, 1_000_003
"""Windows of a step of the examiner, its learning rate, and its seed."""
AT_ONCE = 64
"""Pieces that are drawn together."""
FREE = "no guidance"
Row = dict[str, Any]


def clean(classifier: Classifier, batch: Batch) -> torch.Tensor:
    """[B, C] log p(c) of music as nearly without noise as the process has it."""
    return classifier.noised(batch, torch.Generator().manual_seed(0), 0.0)()


def examiner(opened: Model, labelled: Labelled, iterations: int) -> Classifier:
    """A classifier of the same kind, from another seed, that has only seen music without noise."""
    process = build_process(opened.manifest, opened.tokenizer, seed=EXAMINER, labels=opened.manifest.labels)
    assert isinstance(process, Classifier)
    if "table" in dict(process.named_buffers()):  # embeddings are the model's in any case
        process.table.copy_(opened.process.table)
    optimiser = torch.optim.AdamW(process.parameters(), RATE)
    torch.manual_seed(EXAMINER)
    process.train()
    for step in range(iterations):
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / iterations)
        batch = labelled.batch(labelled.dataset.draw(ROWS, seed=EXAMINER, step=step, plain=True))
        number = batch.condition[process.label]
        if not (number > 0).any():
            continue
        loss = F.nll_loss(clean(process, batch)[number > 0], number[number > 0] - 1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return process.eval()


@torch.no_grad()
def told(classifier: Classifier, pieces: Sequence[Ids], length: int) -> torch.Tensor:
    """[N, C] log p(c) of pieces, each by its first window."""
    tokenizer, found = classifier.tokenizer, []
    for ids in pieces:
        ids = ids[: length - length % tokenizer.group]
        row = torch.tensor([[tokenizer.cls_id, *ids.tolist(), tokenizer.sep_id]])
        found.append(clean(classifier, Batch(row, None, torch.tensor([len(ids)])))[0])
    return torch.stack(found)


@torch.no_grad()
def right(classifier: Classifier, labelled: Labelled, windows: Sequence[Window]) -> list[bool]:
    """Of windows of music that have the label, whether the examiner tells it."""
    hits: list[bool] = []
    for begin in range(0, len(windows), ROWS):
        batch = labelled.batch(windows[begin : begin + ROWS])
        number = batch.condition[classifier.label]
        hits += (clean(classifier, batch).argmax(-1) + 1 == number)[number > 0].tolist()
    return hits


def telling(opened: Model, data: Path, iterations: int) -> Callable[[Sequence[Ids]], list[int]]:
    """Pieces to the numbers of the values that they have: as measured, or as an examiner tells."""
    (label,) = opened.manifest.labels
    if label.of == "windows":

        def as_measured(pieces: Sequence[Ids]) -> list[int]:
            found = [obtained([label], opened.tokenizer.decode(ids)) for ids in pieces]
            return [label.number(each.get(label.name)) for each in found]

        return as_measured
    dataset = TokenDataset(data, opened.tokenizer, length=opened.length, bars=opened.bars)
    labelled = Labelled.of([label], dataset, opened.tokenizer)
    judging = examiner(opened, labelled, iterations)
    hits = right(judging, labelled, dataset.test(256))
    print(f"The examiner is right of {sum(hits)} of {len(hits)} test windows.", flush=True)
    return lambda pieces: (told(judging, pieces, opened.length).argmax(-1) + 1).tolist()


def measure(options: argparse.Namespace) -> list[Row]:
    """Rows for each seed, target and way, as far as they are not there; and the table of all."""
    pipeline = Pipeline.from_pretrained(options.model, device="cpu")
    judge = pipeline if options.judge is None else Pipeline.from_pretrained(options.judge, device="cpu")
    opened, kept = open_classifier(options.classifier), Kept(options.out)
    (label,) = opened.manifest.labels
    guiding = opened.process
    assert isinstance(guiding, Classifier)
    tell = telling(opened, options.classifier / "data", options.iterations)
    targets = sorted(label.seen, key=lambda value: -label.counts[label.values.index(value)])[: options.targets]
    length, count, several = None if options.bars is None else f"{options.bars} bars", options.count, options.best_of

    def drawn(number: int, seed: int, target: str, weight: float) -> list[Ids]:
        asked = {"want": {label.name: target}, "guidance": weight, "classifiers": [options.classifier]}
        request = pipeline.request(number, seed=seed, length=length, steps=options.steps, **asked)
        return pipeline.draw(request.model_copy(update={"batch_size": min(number, AT_ONCE)}))

    def keep(way: str, target: str, seed: int, pieces: Sequence[Ids]) -> None:
        key = {"way": way, "value": target, "seed": seed}
        if kept.find(**key) is None:
            kept.add({**key, "obtained": tell(pieces), "bits": bits(pipeline, judge, pieces)})

    def is_kept(way: str, target: str, seed: int) -> bool:
        return kept.find(way=way, value=target, seed=seed) is not None

    for seed in options.seeds:
        best = f"best of {several}"
        if not is_kept(FREE, "", seed) or not all(is_kept(best, target, seed) for target in targets):
            pieces = drawn(count * several, seed, targets[0], 0.0)
            keep(FREE, "", seed, pieces)
            likely = told(guiding, pieces, opened.length)
            for target in targets:
                first = likely[:, label.number(target) - 1].view(count, several).argmax(-1).tolist()
                keep(best, target, seed, [pieces[row * several + one] for row, one in enumerate(first)])
        for target in targets:
            for weight in options.guidance:
                if not is_kept(way := f"guidance {weight:g}", target, seed):
                    keep(way, target, seed, drawn(count, seed, target, weight))
                    print(seed, target, way, flush=True)
    return table_of(kept.rows, label, targets)


def table_of(rows: Sequence[Row], label: KnownLabel, targets: Sequence[str]) -> list[Row]:
    """A row for each way, over targets and seeds."""
    found = []
    for way in dict.fromkeys(row["way"] for row in rows):
        own = [row for row in rows if row["way"] == way]
        asked = [[row["value"]] if row["value"] else targets for row in own]
        pairs = [
            (label.number(value), number)
            for row, values in zip(own, asked, strict=True)
            for value in values
            for number in row["obtained"]
        ]
        found.append({"way": way, **figures(label, pairs, [each for row in own for each in row["bits"]])})
    return found


def tiny(folder: Path) -> tuple[Path, Path]:
    """A model and a classifier of music that is high or low, trained for nothing."""
    for seed in range(12):
        rng, low = np.random.default_rng(seed), seed % 2 == 0
        music = folder / "music" / ("low" if low else "high")
        music.mkdir(parents=True, exist_ok=True)
        pitch = (45 if low else 70) + rng.integers(0, 12, 64)
        write_midi(
            score_of(Notes(np.arange(64) * 240, np.full(64, 240), pitch, np.full(64, 80))), music / f"{seed}.mid"
        )
    model, classifier = folder / "model", folder / "classifier"
    few = ["--batch-size", "4", "--precision", "fp32", "-o", "train.draw=0"]
    small = ["--length", "96", "-o", "backbone.size=tiny", *few]
    run = [sys.executable, "-m", "diffmidi_core"]
    for words in (
        ["prepare", "--data", str(folder / "music"), "--out", str(model)],
        ["train", str(model), "--iterations", "4", *small],
        ["train-classifier", str(model), "--label", "folder", "--out", str(classifier), "--iterations", "20", *few],
    ):
        subprocess.run([*run, *words], check=True, stdout=subprocess.DEVNULL)
    return model, classifier


def main() -> None:
    """Print a row for each way, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("classifier", type=Path, nargs="?")
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--targets", type=int, default=5)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--guidance", type=float, nargs="*", default=[2.0, 8.0, 32.0])
    parser.add_argument("--best-of", type=int, default=8)
    parser.add_argument("--bars", type=int, help="of the pieces; by default they are as long as training windows")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if not options.tiny and options.classifier is None:
        parser.error("name a model and a classifier of it, or --tiny")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="diffmidi-") as temporary:
        if options.tiny:
            options.model, options.classifier = tiny(Path(temporary))
            options.count, options.guidance, options.best_of, options.steps, options.iterations = 2, [4.0], 2, 4, 20
        Console(width=140).print(table(measure(options)))


if __name__ == "__main__":
    main()
