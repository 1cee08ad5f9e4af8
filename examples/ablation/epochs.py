"""Bits per note over many epochs: masked diffusion in any order and bar by bar, left to right, and normal noise.

    python examples/ablation/epochs.py [--data FOLDER] [--out runs/epochs] [--points 3 10 30 100] [--seeds 0 1 2]

Each method takes the dropout and the weight decay that suit it, from a grid: a short training of each pair (`--tune`
epochs), the lowest validation loss wins. Then it trains at a constant learning rate, which any number of epochs may
follow, validates after every epoch, and stops after `--patience` of them without a better one (never with 0). At each
point a run that begins from it lowers the rate to 0 over the last fifth of its epochs, and is measured on test music at
its best checkpoint: so a point is what a run planned for so many epochs would be, and one training serves them all.

It drives the `diffmidi` command and prints each line, so that every step can be repeated by hand; started again, it
goes on where it was. `--stage tune` ends after the grid, `--stage show` writes what there is. What stands after `--` is
given to every training, such as `-- -o backbone.size=small --precision fp32`. In the folder it writes epochs.json (all
figures), epochs.png (over epochs and over core seconds) and epochs.md.

Core seconds are training steps over the median speed that the run logged, times the threads it had: neither validation
nor what else the machine did is in them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from zlib import crc32

from epochs_shown import picture, table

from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.judge.judged import Judged
from diffmidi_core.machine.build import build_tokenizer
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.train.overfitting import ERROR, HELDOUT
from diffmidi_core.train.validation import WINDOWS

HERE = Path(__file__).parent
CELLS, SHIFTS = "cells", "aligned"
"""Layouts: whole bars, and notes one after another, which is what normal noise takes."""
NORMAL = (
    *("dim=32", "typed=true", "sphere=true", "times=warp", "objective=cross_entropy", "output_prior=true"),
    *("notes=true", "neighbours=3", "seen=posterior"),
)


class Method(NamedTuple):
    """A curve: how its music is laid out, and flags."""

    layout: str
    words: tuple[str, ...]


def _process(*options: str) -> tuple[str, ...]:
    return tuple(word for option in options for word in ("-o", f"process.{option}"))


METHODS = {
    "masked, any order": Method(CELLS, _process("neighbours=3", "order=none")),
    "masked, bars in order": Method(CELLS, _process("neighbours=3", "order=bars")),
    "left to right": Method(CELLS, ("--process", "autoregressive")),
    "normal noise": Method(SHIFTS, ("--process", "gaussian", "--schedule", "sqrt", *_process(*NORMAL))),
    "left to right, no bars": Method(SHIFTS, ("--process", "autoregressive")),
}
"""The last is left to right on the ground of normal noise; `--only` chooses."""
FALLS = 0.2
"""The share of a point's epochs over which the learning rate is lowered."""
Line = tuple[float, float, float, float]
"""Epochs, bits per note of held-out music, their standard error, core seconds."""


@dataclass(frozen=True)
class Study:
    """What is asked: where music is and runs lie, the config that all share, threads of a run, words for all runs."""

    data: str | None
    out: Path
    config: Path
    threads: int
    words: tuple[str, ...] = ()

    def diffmidi(self, *words: object, log: Path) -> None:
        """Run the command and print it. Raises RuntimeError, which names the log, where it fails."""
        line = [str(word) for word in words]
        print("$ diffmidi", *line, flush=True)
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads)}
        with log.open("a", encoding="utf-8") as file:
            done = subprocess.run(
                [sys.executable, "-m", "diffmidi_core", *line],
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"diffmidi {' '.join(line)} failed, see {log}")

    def prepared(self, layout: str, *, share: int = 1) -> Path:
        """A run on this music that nothing was trained from yet; on every so many-th file of a folder."""
        run = self.out / f"{layout}{'' if share == 1 else f'-1-of-{share}'}"
        if not (run / "data" / "data.json").exists():
            data = self.data if share == 1 or self.data is None else str(part_of(Path(self.data), run, share))
            words = ("--data", data) if data else ()
            option = ("-o", f"tokenizer.layout={layout}")
            self.diffmidi("prepare", "--config", self.config, *words, *option, "--out", run, log=log_of(run))
        return run

    def begun(self, run: Path, prepared: Path) -> Path:
        """A copy of what was prepared, to train in."""
        if not run.exists():
            half = run.with_name(f".{run.name}")
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(prepared, half)
            half.rename(run)
        return run

    def train(self, run: Path, iterations: int, *words: object) -> None:
        """Train a run up to so many iterations, or go on with it."""
        folder = RunFolder(run)
        if reached(folder) >= iterations:
            return
        more = ("--resume",) if any(folder.checkpoints.glob("step-*")) else (*self.words, *words)
        self.diffmidi("train", run, "--iterations", iterations, *more, log=log_of(run))


def part_of(data: Path, run: Path, share: int) -> Path:
    """A folder of links to about every so many-th file, whose names decide."""
    folder = run.with_name(f"{run.name}-music")
    shutil.rmtree(folder, ignore_errors=True)
    for file in sorted(data.rglob("*")):
        name = file.relative_to(data)
        if file.is_file() and crc32(str(name).encode()) % share == 0:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(file.resolve())
    return folder


def log_of(run: Path) -> Path:
    """Where all that a run's commands say is written."""
    return run.with_name(f"{run.name}.log")


def reached(folder: RunFolder) -> int:
    """How far a run was trained; 0 where it was not."""
    return max((int(path.name.removeprefix("step-")) for path in folder.checkpoints.glob("step-*")), default=0)


def dataset_of(run: Path) -> TokenDataset:
    """The music that was prepared for a run, in the windows that it trains on."""
    config = RunFolder(run).config()
    return TokenDataset(run / "data", build_tokenizer(config), length=config.length, bars=config.bars)


def steps_of_an_epoch(run: Path) -> int:
    """Iterations that take as many tokens as the training music has."""
    dataset, batch = dataset_of(run), RunFolder(run).config().train.batch_size
    return max(1, round(int(dataset.tokens_of_pieces().sum()) / (batch * dataset.tokens_in_a_window)))


def tokens_of_a_note(run: Path) -> float:
    """On the held-out windows of a validation pass."""
    dataset = dataset_of(run)
    texts = [dataset.tokens(window) for window in dataset.heldout(WINDOWS)]
    tokenizer = build_tokenizer(RunFolder(run).config())
    return sum(map(len, texts)) / max(1, sum(tokenizer.count_notes(text) for text in texts))


def speed(folder: RunFolder) -> float:
    """The median of the steps a second that it logged."""
    return median(line["steps_per_second"] for line in folder.read_log() if "steps_per_second" in line)


def curve(study: Study, run: Path) -> list[Line]:
    """What its validation passes found, but for that of the untrained model."""
    log = [line for line in RunFolder(run).read_log() if HELDOUT in line and line["step"] > 0]
    if not log:
        return []
    epoch, note, each = steps_of_an_epoch(run), tokens_of_a_note(run), study.threads / speed(RunFolder(run))
    return [
        (line["step"] / epoch, note * line[HELDOUT], note * line.get(ERROR, 0.0), each * line["step"]) for line in log
    ]


def tuned(study: Study, name: str, grid: Sequence[tuple[float, float]], epochs: int, share: int) -> dict[str, Any]:
    """The dropout and the weight decay with the lowest validation loss, and that of each pair of the grid."""
    method, found = METHODS[name], []
    for dropout, decay in grid if len(grid) > 1 else ():
        prepared = study.prepared(method.layout, share=share)
        run = study.begun(study.out / f"tune-{slug(name)}-{dropout:g}-{decay:g}", prepared)
        epoch = steps_of_an_epoch(prepared)
        words = (*method.words, *regularised(dropout, decay), *every(epoch))
        study.train(run, epochs * epoch, *words)
        found.append((min(bits for _, bits, _, _ in curve(study, run)), dropout, decay))
    best = min(found) if found else (None, *grid[0])
    return {"dropout": best[1], "weight_decay": best[2], "grid": [list(each) for each in found]}


def regularised(dropout: float, decay: float) -> tuple[str, ...]:
    """Words that set both."""
    return ("-o", f"backbone.dropout={dropout:g}", "-o", f"train.weight_decay={decay:g}")


def every(steps: int) -> tuple[str, ...]:
    """Words that validate, and save, every so many iterations."""
    return ("-o", f"train.evaluate_every={steps}", "-o", f"train.save_every={steps}")


def trained(study: Study, name: str, seed: int, chosen: dict[str, Any], points: Sequence[int], patience: int) -> None:
    """One curve: its trunk, and from it a run to each of the points."""
    method = METHODS[name]
    prepared = study.prepared(method.layout)
    epoch = steps_of_an_epoch(prepared)
    trunk = study.begun(study.out / f"{slug(name)}-{seed}", prepared)
    options = ("-o", "train.anneal=false", "-o", f"train.patience={patience}", *every(epoch))
    words = (*method.words, *regularised(chosen["dropout"], chosen["weight_decay"]), *options, "--seed", seed)
    for point in sorted(points):
        begin = epoch * point - max(1, round(FALLS * epoch * point))
        study.train(trunk, begin, *words)
        if reached(RunFolder(trunk)) < begin:
            print(f"{name}, seed {seed}: stopped early, no validation loss was lower for {patience} epochs", flush=True)
            return
        forked(study, trunk, point, begin, epoch * point - begin, epoch)


def forked(study: Study, trunk: Path, point: int, begin: int, steps: int, epoch: int) -> None:
    """From where the trunk is, a run that lowers the learning rate to 0 and is measured on test music."""
    run = trunk.with_name(f"{trunk.name}-{point}")
    log = log_of(run)
    if Judged.files(run):
        return
    if (run / "data").exists() and reached(RunFolder(run)):
        study.diffmidi("run", "--resume", run, log=log)
        return
    shutil.rmtree(run, ignore_errors=True)
    options = ("-o", "train.anneal=true", "-o", f"train.decay={steps}", *every(min(epoch, steps)), *study.words)
    words = ("--iterations", steps, "-o", "train.patience=0", *options, "--beside", "none")
    study.diffmidi("run", "--from", f"{trunk}@{begin}", "--out", run, *words, log=log)


def point_of(study: Study, trunk: Path, point: int) -> dict[str, Any] | None:
    """What the run at a point is worth on test music; None where it has not come so far."""
    run = trunk.with_name(f"{trunk.name}-{point}")
    files = Judged.files(run)
    if not files:
        return None
    figure = Judged.of_checkpoint(files[0]).known["bits_per_note"]
    steps = point * steps_of_an_epoch(run)
    return {
        "epochs": point,
        "bits": figure.value,
        "interval": figure.interval,
        "windows": figure.count,
        "seconds": study.threads * steps / speed(RunFolder(trunk)),
    }


def slug(name: str) -> str:
    """A method's name as a folder has it."""
    return "-".join("".join(each if each.isalnum() else " " for each in name).split())


def figures(study: Study, chosen: dict[str, Any], seeds: Sequence[int], points: Sequence[int]) -> list[dict[str, Any]]:
    """All curves that have come so far, with their points."""
    found = []
    for name, seed in itertools.product(chosen, seeds):
        trunk = study.out / f"{slug(name)}-{seed}"
        if lines := curve(study, trunk) if trunk.exists() else []:
            measured = [each for point in points if (each := point_of(study, trunk, point))]
            facts = RunFolder(trunk).facts()
            about = {"method": name, "seed": seed, "parameters": facts["parameters"]}
            found.append({**about, "lines": lines, "points": measured})
    return found


def parted(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Those before the first `--`, and those after it."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of MIDI files (default: the chorales in music21)")
    parser.add_argument("--out", type=Path, default=Path("runs/epochs"))
    parser.add_argument("--config", type=Path, default=HERE / "epochs.json", help="what all runs share")
    parser.add_argument("--points", nargs="+", type=int, default=[3, 10, 30, 100], help="epochs that are measured")
    parser.add_argument(
        "--patience", type=int, default=15, help="epochs without a lower validation loss; 0: any number"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--only", nargs="+", metavar="METHOD", choices=METHODS, default=list(METHODS)[:4])
    parser.add_argument("--dropout", nargs="+", type=float, default=[0, 0.1, 0.3])
    parser.add_argument("--weight-decay", nargs="+", type=float, default=[0, 0.1, 1])
    parser.add_argument("--tune", type=int, default=10, help="epochs of a training of the grid")
    parser.add_argument("--share", type=int, default=1, help="the grid takes every so many-th file of the folder")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, with the cores shared out")
    parser.add_argument("--stage", choices=("tune", "all", "show"), default="all")
    asked, words = parted(sys.argv[1:])
    given = parser.parse_args(asked)
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    threads = max(1, (os.cpu_count() or 1) // given.jobs)
    study = Study(given.data, out, given.config, threads, tuple(words))
    grid = list(itertools.product(given.dropout, given.weight_decay))
    file = out / "tuned.json"
    chosen: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    with ThreadPoolExecutor(given.jobs) as pool:

        def each(ask: Callable[..., Any], *items: Sequence[Any]) -> list[Any]:
            return list(pool.map(ask, *items))

        if given.stage != "show":
            for layout in dict.fromkeys(METHODS[name].layout for name in given.only):
                study.prepared(layout)
                if len(grid) > 1:
                    study.prepared(layout, share=given.share)
            missing = [name for name in given.only if name not in chosen]
            new = each(lambda name: tuned(study, name, grid, given.tune, given.share), missing)
            chosen.update(zip(missing, new, strict=True))
            file.write_text(json.dumps(chosen, indent=2) + "\n", encoding="utf-8")
        if given.stage == "all":
            some = [(name, seed) for seed in given.seeds for name in given.only]
            each(lambda one: trained(study, *one, chosen[one[0]], given.points, given.patience), some)
    shown = {name: chosen[name] for name in given.only if name in chosen}
    found = figures(study, shown, given.seeds, given.points)
    told = {"data": given.data or "chorales", "threads": threads, "tuned": shown, "curves": found}
    (out / "epochs.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    text = table(told)
    (out / "epochs.md").write_text(text, encoding="utf-8")
    if found:
        picture(found, out / "epochs.png")
    print(text)


if __name__ == "__main__":
    main()
