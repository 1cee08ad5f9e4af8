"""The starter, made from nothing or made anew: trained, judged, and put into `models/diffmidi-starter`, card and all.

    python examples/starter/starter.py --data FOLDER     # train (or go on with training), then all below
    python examples/starter/starter.py --publish RUN     # of a run that was trained: draw, judge, export

It drives the `diffmidi` command and prints each line, so that every step can be repeated by hand; started again, it
goes on where it was. Figures come from the run alone: it writes `figures.json`, and from that the table of README.md
and the last part of the model's card.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from diffmidi_core.judge.judged import Judged
from diffmidi_core.numbers import better_text, figure_text
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.saved.manifest import read_model

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "models" / "diffmidi-starter"
MODEL = PACKAGE / "diffmidi_starter" / "model"
INSIDE = MODEL.relative_to(PACKAGE).as_posix()
STEPS = 192
"""Evaluations of the network for eight bars: twelve for each part, the heads and the notes of each bar."""
METRICS = (
    *("bound_bpw", "bits_per_note", "baselines", "grammar_faults", "originality"),
    *("note_density", "pitch_class_entropy", "scale_consistency", "groove_consistency", "polyphony_rate"),
)
BEGIN, END = "<!-- figures: written by starter.py -->", "<!-- end of figures -->"
ABOUT = """
## Data, licence and cost

Trained on songs for voice and piano of the [OpenScore Lieder Corpus](https://github.com/OpenScore/Lieder), which is
under [CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/), and on nothing else. The weights are under CC0 1.0,
too.
{cost} `examples/starter/` of diffmidi's repository makes it again.
"""


def diffmidi(*words: object) -> None:
    """Run the command, and print it."""
    line = [str(word) for word in words]
    print("$ diffmidi", *line, flush=True)
    done = subprocess.run([sys.executable, "-m", "diffmidi_core", *line])
    if done.returncode:
        sys.exit(done.returncode)


def trained(data: str, out: Path) -> Path:
    """The run, trained; gone on with where it was begun."""
    if not (out / "config.json").is_file():
        diffmidi("prepare", "--config", HERE / "recipe.json", "--data", data, "--out", out)
    elif not (out / "data").is_dir():
        diffmidi("prepare", "--resume", out)
    diffmidi("train", out)
    return out


def judged(run: Path, count: int) -> str:
    """Draw pieces of eight bars and judge them, beside the checkpoint; the name of the draw."""
    name = f"starter-{read_model(run).step}"
    draw = DrawFolder(run / "draws" / name)
    rendered = ("--no-renderer", "all", "--renderer", "pianoroll", "--render", 1)
    if not draw.request_file.is_file():
        diffmidi(
            "sample", run, "--bars", 8, "--samples", count, "--seed", 1, "--steps", STEPS, "--name", name, *rendered
        )
    elif not draw.is_complete:
        diffmidi("sample", run, "--resume", "--name", name, *rendered)
    if not draw.figures_file.is_file():
        metrics = [word for metric in METRICS for word in ("--metric", metric)]
        diffmidi("evaluate", run, "--draw", name, "--no-metric", "all", *metrics)
    return name


def export(run: Path) -> None:
    """Put the model into its package in place of the one that is there."""
    fresh = MODEL.with_name(".model")
    shutil.rmtree(fresh, ignore_errors=True)
    diffmidi("export", run, "--to", fresh, "--license", "cc0-1.0", "--name", "starter", "--half", "--steps", STEPS)
    shutil.rmtree(MODEL, ignore_errors=True)
    fresh.rename(MODEL)


def figures(run: Path, name: str) -> dict[str, Any]:
    """All that the card and the README say of it."""
    folder, step = RunFolder(run), read_model(run).step
    facts = folder.facts()
    drawn = Judged.of_draw(DrawFolder(run / "draws" / name))
    of_weights = folder.figures / f"step-{step:06d}.json"
    known = {
        **(Judged.of_checkpoint(of_weights).known if of_weights.exists() else {}),
        **(drawn.known if drawn else {}),
    }
    return {
        "step": step,
        "epochs": round(facts["epochs"] * step / facts["iterations"], 1),
        "hours": round(hours(folder, step), 2),
        "threads": os.cpu_count(),
        "parameters": facts["parameters"],
        "pieces": facts["data"]["kept"],
        "notes": facts["data"]["notes"],
        "pieces_drawn": len(DrawFolder(run / "draws" / name).pieces()),
        "figures": {key: figure.model_dump(mode="json") for key, figure in known.items()},
    }


def hours(folder: RunFolder, step: int) -> float:
    """How long training took up to a step, by the speeds that it logged."""
    seconds, before = 0.0, 0
    for line in folder.read_log():
        if line.get("steps_per_second") and before < line["step"] <= step:
            seconds += (line["step"] - before) / line["steps_per_second"]
            before = line["step"]
    return seconds / 3600


def cost(told: dict[str, Any]) -> str:
    """What it cost, in a sentence."""
    return (
        f"{told['step']:,} iterations ({told['epochs']} epochs over {told['pieces']:,} songs) took {told['hours']:.1f} "
        f"hours on {told['threads']} processor cores without a GPU."
    )


def table(told: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| figure | value | 95 % interval | the same of test music |", "| --- | ---: | ---: | ---: |"]
    for name, figure in told["figures"].items():
        between = " to ".join(map(figure_text, figure["interval"])) if figure.get("interval") else ""
        reference = "" if figure.get("reference") is None else figure_text(figure["reference"])
        title = f"{figure['title']}{better_text(figure['better'])} (`{name}`)"
        lines.append(f"| {title} | {figure_text(figure['value'])} | {between} | {reference} |")
    return "\n".join(lines)


def write(told: dict[str, Any]) -> None:
    """figures.json, the table of README.md, and the card: in the model, and as the README of its package."""
    (HERE / "figures.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    readme = HERE / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    said = f"{cost(told)} {told['parameters']:,} parameters; {told['pieces_drawn']} pieces of eight bars were drawn."
    readme.write_text(f"{before}{BEGIN}\n{said}\n\n{table(told)}\n{END}{after}", encoding="utf-8")
    card = MODEL / "README.md"
    text = card.read_text(encoding="utf-8") + ABOUT.format(cost=cost(told))
    card.write_text(text, encoding="utf-8")
    for file in MODEL.glob("sample.*"):
        text = text.replace(f"]({file.name})", f"]({INSIDE}/{file.name})")
    (PACKAGE / "README.md").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="a folder of the songs as MIDI (see README.md)")
    parser.add_argument("--out", type=Path, default=Path("runs/starter"), help="the run's folder")
    parser.add_argument("--publish", type=Path, metavar="RUN", help="a run that was trained already")
    parser.add_argument("--samples", type=int, default=64, help="pieces that are drawn and judged")
    asked = parser.parse_args()
    if (asked.data is None) == (asked.publish is None):
        parser.error("give --data FOLDER to train on, or --publish RUN")
    run = asked.publish or trained(asked.data, asked.out)
    name = judged(run, asked.samples)
    export(run)
    write(figures(run, name))
    print(f"Wrote {MODEL}, its card, and {HERE / 'figures.json'}.")


if __name__ == "__main__":
    main()
