"""The paper *Adapting Diffusion-LM to Discrete Music Domain*, reproduced: trains BERT and ELECTRA and makes its table.

    python examples/paper/paper.py [--preset cpu|gpu] [--data FOLDER] [--out runs/paper]

It drives the `diffmidi` command, so that every step can be repeated by hand, and goes on where it was when started
again. It writes `table.md`, and the piano roll and waveform of a sample (the paper's figures 4 and 5), beside the runs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BACKBONES = ("bert", "electra")
CHECKPOINTS = (800, 1000, 2000)
PAPER = {
    ("bert", 800): 0.00003,
    ("bert", 1000): 0.00004,
    ("bert", 2000): 0.00007,
    ("electra", 1000): 0.0002,
    ("electra", 2000): 0.0003,
}
"""Bits per word in the paper's section 5.2."""


def diffmidi(*words: object) -> None:
    """Run the command with this Python, and stop where it stops."""
    command = [sys.executable, "-m", "diffmidi_core", *map(str, words)]
    print("$ diffmidi", *map(str, words), flush=True)
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(code)


def measured(run: Path, step: int) -> dict[str, dict[str, float]]:
    """The figures of one checkpoint, measured once."""
    kept = run / "figures" / f"step-{step:06d}.json"
    if not kept.exists():
        diffmidi("evaluate", run, "--checkpoint", step)
    return json.loads(kept.read_text(encoding="utf-8"))["figures"]


def heldout_curve(run: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [(line["step"], line["heldout/bound_bpw"]) for line in lines if "heldout/bound_bpw" in line]


def table(runs: dict[str, Path]) -> str:
    """Section 5.2 side by side: the paper's figure, ours under the same definition, and the honest bound."""
    rows = [
        "| denoiser | iterations | paper, bits/word | ours, `rounding_bpw` | ours, `bound_bpw` |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for backbone, run in runs.items():
        for step in CHECKPOINTS:
            figures = measured(run, step)
            rounding, bound = figures["rounding_bpw"], figures["bound_bpw"]
            paper = PAPER.get((backbone, step))
            rows.append(
                f"| {backbone} | {step} | {'-' if paper is None else f'{paper:.5f}'} | {rounding['value']:.5f} "
                f"| {bound['value']:.3f} ± {bound['error']:.3f} |"
            )
    rows.append("")
    for backbone, run in runs.items():
        step, best = min(heldout_curve(run), key=lambda point: point[1])
        rows.append(f"- {backbone}: the held-out bound is lowest at iteration {step} ({best:.3f} bits per token).")
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--data", help="folder of MIDI files (default: the chorales in music21)")
    parser.add_argument("--out", type=Path, default=Path("runs/paper"))
    given = parser.parse_args()
    runs = {backbone: given.out / backbone for backbone in BACKBONES}
    for backbone, run in runs.items():
        if (run / "config.json").exists():
            diffmidi("run", "--resume", run)
            continue
        data = ("--data", given.data) if given.data else ()
        size = json.loads((HERE / f"{given.preset}.json").read_text(encoding="utf-8"))["backbone"]["options"]["size"]
        config = ("--config", HERE / f"{given.preset}.json")
        diffmidi("run", *config, "--backbone", backbone, "-o", f"backbone.size={size}", "--out", run, *data)
    text = table(runs)
    (given.out / "table.md").write_text(text, encoding="utf-8")
    for suffix in (".roll.png", ".wave.png"):
        shutil.copy(runs["bert"] / "draws" / "1" / f"001{suffix}", given.out / f"bert{suffix}")
    print(text)


if __name__ == "__main__":
    main()
