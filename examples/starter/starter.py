"""The starter, made from nothing or made anew: trained, judged, and put into `models/diffmidi-starter`, card and all.

    python examples/starter/starter.py --data FOLDER     # train (or go on with training), then all below
    python examples/starter/starter.py --publish RUN     # of a run that was trained: draw, judge, export
    python examples/starter/starter.py --data FOLDER --rival RUN    # train the left-to-right model of the card's table

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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffmidi import Score, read_midi
from diffmidi.api.metric import Sample
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.judge.judged import Judged
from diffmidi_core.machine.build import build_tokenizer
from diffmidi_core.numbers import better_text, figure_text
from diffmidi_core.registry import find
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
    *("onsets_on_beats", "notes_per_bar", "key_clarity"),
)
SPREAD = ("onsets_on_beats", "key_clarity", "notes_per_bar", "note_density")
"""What should lie where it lies in songs: between the 5 and 95 % of windows of test songs."""
ENDING = "ends_on_tonic"
LEFT_TO_RIGHT = {
    "process": {"name": "autoregressive"},
    "sampler": {"name": "autoregressive"},
    "sample": {},
    "condition": {},
    "metrics": [{"name": "bits_per_note"}],
}
"""What the rival has in place of the starter's: the same network, windows and iterations, one token after another."""
BEGIN, END = "<!-- figures: written by starter.py -->", "<!-- end of figures -->"
ABOUT = """
## Data, licence and cost

Trained on songs for voice and piano of the [OpenScore Lieder Corpus](https://github.com/OpenScore/Lieder), which is
under [CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/), and on nothing else. The weights are under CC0 1.0,
too.
{cost} `examples/starter/` of diffmidi's repository makes it again.

## Beside songs

{beside}
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
    return gone_on_with(out)


def gone_on_with(run: Path) -> Path:
    """The run, trained to its end."""
    diffmidi("train", run, *(("--resume",) if (run / "checkpoints").is_dir() else ()))
    return run


def rival(data: str, out: Path) -> Path:
    """The run of a left-to-right model of the same size, trained and judged on the same test songs."""
    if not (out / "data").is_dir():
        config = out.with_suffix(".json")
        recipe = json.loads((HERE / "recipe.json").read_text(encoding="utf-8"))
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(json.dumps(recipe | LEFT_TO_RIGHT), encoding="utf-8")
        diffmidi("prepare", "--config", config, "--data", data, "--out", out)
    diffmidi("evaluate", gone_on_with(out), "--no-metric", "all", "--metric", "bits_per_note")
    return out


def spread(run: Path, name: str) -> dict[str, Any]:
    """Of each of SPREAD the 5, 50 and 95 % of test windows and of drawn pieces, and the share of the pieces between.

    Of ENDING the share of the pieces, and of whole test songs.
    """
    config = RunFolder(run).config()
    tokenizer = build_tokenizer(config)
    dataset = TokenDataset(run / "data", tokenizer, length=config.length, bars=config.bars)
    drawn = [read_midi(file) for file in sorted((run / "draws" / name).glob("*.mid"))]
    windows = [tokenizer.decode(dataset.tokens(window)) for window in dataset.test(512)]
    songs = [tokenizer.decode(dataset.piece(piece)) for piece in np.unique([each.piece for each in dataset.test()])]
    told = {}
    for metric in SPREAD:
        ours, theirs = (values_of(metric, scores) for scores in (drawn, windows))
        low, high = np.quantile(theirs, [0.05, 0.95])
        told[metric] = {
            "test": np.quantile(theirs, [0.05, 0.5, 0.95]).tolist(),
            "drawn": np.quantile(ours, [0.05, 0.5, 0.95]).tolist(),
            "between": float(((ours >= low) & (ours <= high)).mean()),
            "windows": len(theirs),
        }
    told[ENDING] = {"test": float(values_of(ENDING, songs).mean()), "drawn": float(values_of(ENDING, drawn).mean())}
    told[ENDING]["songs"] = len(songs)
    return told


def values_of(metric: str, scores: Sequence[Score]) -> NDArray[np.float64]:
    """What a metric says of each score that it says something of."""
    part = find("metric", metric).build({})
    found = (part.value(Sample.of_music(score, None)) for score in scores)
    return np.array([value for value in found if value is not None])


def judged(run: Path, count: int) -> str:
    """Draw pieces of eight bars and judge them, beside the checkpoint; the name of the draw."""
    name = f"starter-{read_model(run).step}"
    draw = DrawFolder(run / "draws" / name)
    rendered = ("--no-renderer", "all", "--renderer", "pianoroll", "--render", 1)
    if not draw.request_file.is_file():
        diffmidi(
            *("sample", run, "--bars", 8, "--samples", count, "--seed", 1, "--steps", STEPS, "--name", name),
            *drawing(),
            *rendered,
        )
    elif not draw.is_complete:
        diffmidi("sample", run, "--resume", "--name", name, *rendered)
    if not draw.figures_file.is_file():
        metrics = [word for metric in METRICS for word in ("--metric", metric)]
        diffmidi("evaluate", run, "--draw", name, "--no-metric", "all", *metrics)
    return name


def drawing() -> list[str]:
    """How the recipe's sampler draws, as flags: a run may have been trained before it was settled."""
    options = json.loads((HERE / "recipe.json").read_text(encoding="utf-8"))["sampler"]["options"]
    return [word for name, value in options.items() for word in ("-o", f"sampler.{name}={value}")]


def export(run: Path) -> None:
    """Put the model into its package in place of the one that is there."""
    fresh = MODEL.with_name(".model")
    shutil.rmtree(fresh, ignore_errors=True)
    diffmidi(
        "export",
        run,
        "--to",
        fresh,
        "--license",
        "cc0-1.0",
        "--name",
        "starter",
        "--half",
        "--steps",
        STEPS,
        *drawing(),
    )
    shutil.rmtree(MODEL, ignore_errors=True)
    fresh.rename(MODEL)


def figures(run: Path, name: str, other: Path | None = None) -> dict[str, Any]:
    """All that the card and the README say of it, perhaps beside a left-to-right model's run."""
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
        "spread": spread(run, name),
        **({} if other is None else {"rival": rival_figure(other)}),
    }


def rival_figure(run: Path) -> dict[str, Any]:
    """What the left-to-right model costs on the same songs."""
    step = read_model(run).step
    figure = Judged.of_checkpoint(RunFolder(run).figures / f"step-{step:06d}.json").known["bits_per_note"]
    return {"step": step, "hours": round(hours(RunFolder(run), step), 2), **figure.model_dump(mode="json")}


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


def beside(told: dict[str, Any]) -> str:
    """How the pieces lie beside test songs, and what the left-to-right model costs, as Markdown."""
    lines = ["| | test songs: 5, 50, 95 % | pieces: 5, 50, 95 % | pieces within |", "| --- | ---: | ---: | ---: |"]
    for name in SPREAD:
        of = told["spread"][name]
        theirs, ours = (", ".join(figure_text(value) for value in of[side]) for side in ("test", "drawn"))
        lines.append(f"| `{name}` | {theirs} | {ours} | {of['between']:.0%} |")
    ending = told["spread"][ENDING]
    text = "\n".join(lines) + (
        f"\n\nWithin: between the 5 and 95 % of {told['spread'][SPREAD[0]]['windows']} windows of test songs, where "
        f"90 % of songs lie. In the bass {ending['drawn']:.0%} of the pieces end on the tonic of their key, and "
        f"{ending['test']:.0%} of the {ending['songs']} songs."
    )
    if "rival" in told:
        other = told["rival"]
        between = " to ".join(map(figure_text, other["interval"]))
        text += (
            f" A left-to-right model with the same network costs {figure_text(other['value'])} bits a note "
            f"({between}; exact) on the same songs, after {other['step']:,} iterations and {other['hours']} hours."
        )
    return text


def write(told: dict[str, Any]) -> None:
    """figures.json, the table of README.md, and the card: in the model, and as the README of its package."""
    (HERE / "figures.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    readme = HERE / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    said = f"{cost(told)} {told['parameters']:,} parameters; {told['pieces_drawn']} pieces of eight bars were drawn."
    readme.write_text(f"{before}{BEGIN}\n{said}\n\n{table(told)}\n\n{beside(told)}\n{END}{after}", encoding="utf-8")
    card = MODEL / "README.md"
    text = card.read_text(encoding="utf-8") + ABOUT.format(cost=cost(told), beside=beside(told))
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
    parser.add_argument("--rival", type=Path, metavar="RUN", help="the run of the left-to-right model beside it")
    asked = parser.parse_args()
    if asked.data and asked.rival:
        rival(asked.data, asked.rival)
        return
    if (asked.data is None) == (asked.publish is None):
        parser.error("give --data FOLDER to train on, or --publish RUN")
    run = asked.publish or trained(asked.data, asked.out)
    name = judged(run, asked.samples)
    export(run)
    write(figures(run, name, asked.rival))
    print(f"Wrote {MODEL}, its card, and {HERE / 'figures.json'}.")


if __name__ == "__main__":
    main()
