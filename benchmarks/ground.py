"""Published music of other systems and music of ours under the same metrics, each beside the music it is to be like.

    git clone https://github.com/jech2/D3PIA FOLDER
    diffmidi sample starter --bars 8 --samples 64 --seed 1 --no-renderer all --name ground
    python benchmarks/ground.py FOLDER [--ours draws/ground --songs RUN] [--out ground.json]

FOLDER has the segments of POP909's test songs that D3PIA (Choi et al. 2026, MIT licence) was given, what pianists play
there, what it made of them, and ten segments each of four other systems; the melody that all were given is in the
files, too. `--ours` is judged beside windows of eight bars of the test music of RUN, a run prepared on songs. Nothing
of FOLDER is kept but figures. It drives `diffmidi evaluate --samples`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from diffmidi.api.renderer import write_midi
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.machine.build import build_tokenizer
from diffmidi_core.saved.folder import RunFolder

SOURCE = "https://github.com/jech2/D3PIA at 5270ff64297fea24ebf010ac651e272d6ff9e6a1"
SEGMENTS, TEN = "inference_samples/POP909_no_bridge_8bar_cropped", "inference_samples/subjective_eval_samples"
METRICS = (
    *("onsets_on_beats", "notes_per_bar", "key_clarity", "note_density", "polyphony", "pitch_class_entropy"),
    *("groove_consistency", "scale_consistency", "overlap_area"),
)
SHOWN = (*METRICS[:-1], "overlap_area/mean")
Row = dict[str, Any]


class Group(NamedTuple):
    """A row: files of the fetched folder, and those that they are beside."""

    files: str
    beside: str


GROUPS = {
    "pianists, all segments": Group(f"{SEGMENTS}/valid/*/*.mid", f"{SEGMENTS}/valid/*/*.mid"),
    "D3PIA, all segments": Group(f"{SEGMENTS}/d3pia/*/*/*.mid", f"{SEGMENTS}/valid/*/*.mid"),
    "pianists, ten": Group(f"{TEN}/*/valid.mid", f"{SEGMENTS}/valid/*/*.mid"),
    "D3PIA, ten": Group(f"{TEN}/*/d3pia.mid", f"{SEGMENTS}/valid/*/*.mid"),
    "WholeSongGen, ten": Group(f"{TEN}/*/wholesonggen.mid", f"{SEGMENTS}/valid/*/*.mid"),
    "Polyffusion, ten": Group(f"{TEN}/*/polyffusion.mid", f"{SEGMENTS}/valid/*/*.mid"),
    "FGG, ten": Group(f"{TEN}/*/efficient_diffusion.mid", f"{SEGMENTS}/valid/*/*.mid"),
    "Compose & Embellish, ten": Group(f"{TEN}/*/cne_no_velocity.mid", f"{SEGMENTS}/valid/*/*.mid"),
}


def linked(source: Path, pattern: str, to: Path) -> Path:
    """A folder of links to the files that match. Raises SystemExit where none does."""
    to.mkdir()
    files = sorted(source.glob(pattern))
    if not files:
        sys.exit(f"nothing matches {pattern} in {source}: fetch it as the head of this script says")
    for file in files:
        (to / "-".join(file.relative_to(source).parts[-3:])).symlink_to(file.resolve())
    return to


def windows_of(run: Path, count: int, to: Path) -> Path:
    """A folder with windows of the test music of a run, of as many bars as it trains on, as its tokens have them."""
    config = RunFolder.open(run).config()
    tokenizer = build_tokenizer(config)
    dataset = TokenDataset(run / "data", tokenizer, length=config.length, bars=config.bars)
    to.mkdir()
    for number, window in enumerate(dataset.test(count)):
        write_midi(tokenizer.decode(dataset.tokens(window)), to / f"{number:03d}.mid")
    return to


def judged(samples: Path, against: Path) -> dict[str, Any]:
    """What `diffmidi evaluate --samples` finds."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        words = [word for metric in METRICS for word in ("--metric", metric)]
        command = ["evaluate", "--samples", samples, "--against", against, "--out", out, "--windows", 885]
        line = [str(word) for word in (*command, "--no-metric", "all", *words)]
        subprocess.run([sys.executable, "-m", "diffmidi_core", *line], check=True)
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def row_of(name: str, found: dict[str, Any], *, itself: bool = False) -> Row:
    """A row of the samples: each figure's value and interval; of music beside `itself` no overlap."""
    figures = {key: found["figures"].get(key) for key in (METRICS[:-1] if itself else SHOWN)}
    told = {key: {"value": each["value"], "interval": each["interval"]} for key, each in figures.items() if each}
    count = found["samples"]
    return {"name": name, "files": count["read"], "refused": len(count["refused"]), "figures": told}


def table(rows: list[Row]) -> str:
    """In Markdown, a row each, a figure over its interval."""
    names = [name.removesuffix("/mean") for name in SHOWN]
    lines = [f"| | files | {' | '.join(f'`{name}`' for name in names)} |", f"| --- | ---: |{' ---: |' * len(names)}"]
    for row in rows:
        cells = [_cell(row["figures"].get(name)) for name in SHOWN]
        lines.append(f"| {row['name']} | {row['files']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(figure: dict[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    if not figure["interval"]:
        return f"{figure['value']:.3g}"
    return f"{figure['value']:.3g} [{figure['interval'][0]:.3g}, {figure['interval'][1]:.3g}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a clone of D3PIA")
    parser.add_argument("--ours", type=Path, metavar="DRAW", help="pieces of eight bars by a model of ours")
    parser.add_argument("--songs", type=Path, metavar="RUN", help="the run whose test music they are beside")
    parser.add_argument("--windows", type=int, default=64, help="windows of that music")
    parser.add_argument("--out", type=Path, default=Path("ground.json"))
    given = parser.parse_args()
    if (given.ours is None) != (given.songs is None):
        parser.error("--ours and --songs go together")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        beside = {
            group.beside: linked(given.folder, group.beside, Path(folder) / f"beside-{number}")
            for number, group in enumerate({group.beside: group for group in GROUPS.values()}.values())
        }
        for number, (name, group) in enumerate(GROUPS.items()):
            found = judged(linked(given.folder, group.files, Path(folder) / str(number)), beside[group.beside])
            rows.append(row_of(name, found, itself=group.files == group.beside))
        if given.ours is not None:
            songs = windows_of(given.songs, given.windows, Path(folder) / "songs")
            rows.append(row_of("songs, test music", judged(songs, songs), itself=True))
            rows.append(row_of("the starter", judged(given.ours, songs)))
    given.out.write_text(json.dumps({"source": SOURCE, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
