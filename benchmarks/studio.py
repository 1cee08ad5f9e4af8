"""How smooth the studio's page is with a large file, in Chromium without a window.

    python benchmarks/studio.py [--notes 17000] [--model starter] [--seconds 5] [--width 1280]

The file is the toy tune in eight tracks, again and again. Frames per second and what drawing one takes in milliseconds
(median, 95 %) while the roll is still but the playhead moves, is scrolled, zoomed, painted on, and played; the seconds
from the upload to the first picture; the memory of the page's JavaScript and of all of Chromium.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from symusic.core import NoteTick, TrackTick

from diffmidi.api.renderer import write_midi
from diffmidi_core.music.notes import Score
from diffmidi_core.music.toy import tune

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.studio.tab import Tab

BEATS, TRACKS = 32, 8
MOVES = {
    "playhead alone": "roll.playhead = count / 60; roll.touch()",
    "scrolling": "roll.move((count * 0.4) % (roll.music.seconds * 0.9))",
    "playhead, all in sight": "roll.zoom(0.0001); roll.playhead = count / 60; roll.touch()",
    "zooming": "roll.zoom(count % 240 < 120 ? 1.03 : 1 / 1.03)",
    "painting": "roll.painted = {how: 'new', box: {time: {unit: 'bars', from: 1, to: 1 + count % 12}, "
    "pitch: [50, 60 + count % 20], track: null}}; roll.touch()",
}
MEASURE = """new Promise(done => {{
  const roll = studio.roll, spent = [], draw = roll.draw;
  roll.draw = function () {{ const at = performance.now(); draw.call(this); spent.push(performance.now() - at); }};
  let count = 0; const begun = performance.now();
  const step = () => {{
    const gone = performance.now() - begun;
    if (gone < {milliseconds}) {{ count++; {move}; return requestAnimationFrame(step); }}
    roll.draw = draw; roll.painted = null;
    spent.sort((a, b) => a - b);
    done([count / gone * 1000, spent[spent.length >> 1], spent[Math.floor(spent.length * 0.95)]]);
  }};
  requestAnimationFrame(step);
}})"""


def large(notes: int) -> Score:
    """The tune, three semitones higher in each track, as often as it takes."""
    score = tune()
    source = [*score.tracks[0].notes]
    length = BEATS * score.ticks_per_quarter
    score.tracks.clear()
    for number in range(TRACKS):
        track = TrackTick(f"Part {number + 1}", 0, False)
        for again in range(-(-notes // (TRACKS * len(source)))):
            for note in source:
                pitch = note.pitch + 3 * (number - TRACKS // 2)
                track.notes.append(NoteTick(note.time + again * length, note.duration, pitch, note.velocity))
        score.tracks.append(track)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=17_000)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--chromium", default="chromium")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.mid"
        write_midi(large(given.notes), path)
        command = [sys.executable, "-m", "diffmidi_core", "studio", "--no-browser", "--model", given.model]
        server = subprocess.Popen([*command, "--folder", f"{folder}/studio"], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        tab = Tab(given.chromium)
        try:
            show(tab, address, path, given.seconds, given.width)
        finally:
            tab.close()
            server.terminate()
            server.wait()


def show(tab: Tab, address: str, path: Path, seconds: float, width: int) -> None:
    """Measure, and print a table."""
    tab.open(address, width=width)
    tab.until("document.querySelector('#start')?.hidden === false")
    time.sleep(10)  # the worker loads its model meanwhile
    begun = time.perf_counter()
    tab.choose_file("#file", path)
    tab.until("studio.roll.music && studio.roll.frames > 0")
    opened = time.perf_counter() - begun
    table = Table("what happens", "frames a second", "ms a frame, median", "ms a frame, 95 %")
    for name, move in MOVES.items():
        rate, median, most = tab.ask(MEASURE.format(milliseconds=1000 * seconds, move=move))
        table.add_row(name, f"{rate:.1f}", f"{median:.2f}", f"{most:.2f}")
    tab.press(" ")
    tab.until("studio.player.playing && studio.player.sound.currentTime > 0", 300)
    rate, median, most = tab.ask(MEASURE.format(milliseconds=1000 * seconds, move=""))
    table.add_row("playing", f"{rate:.1f}", f"{median:.2f}", f"{most:.2f}")
    count, length = tab.ask("[studio.roll.music.notes.count, studio.roll.music.seconds]")
    heap = tab.ask("performance.memory.usedJSHeapSize")
    processes = [psutil.Process(tab.process.pid), *psutil.Process(tab.process.pid).children(recursive=True)]
    whole = sum(process.memory_full_info().pss for process in processes)
    console = Console()
    console.print(f"{count:,} notes, {length:.0f} seconds of music, {width} pixels wide; opened in {opened:.2f} s")
    console.print(table)
    console.print(f"memory: {heap / 1e6:.1f} MB of JavaScript, {whole / 1e6:.0f} MB of all of Chromium")


if __name__ == "__main__":
    main()
