"""The studio in a real browser, with a real server and a tiny model: a piece is painted, drawn, heard, kept."""

import os
import shutil
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

from diffmidi.api.renderer import write_midi
from diffmidi_core.music.reading import read_midi
from diffmidi_core.music.toy import toy_scores, tune
from tests.report.test_browser import CONTRAST

from .tab import ALT, SHIFT, Tab
from .test_worker import trained as trained

HOSTILE = "<img src=x onerror=alert(1)>.mid"
IDLE = "document.querySelector('.working:not([hidden])') === null"
OPEN = "document.querySelector('#studio')?.hidden === false && studio.roll.music"
REGION = "document.querySelector('#region').value"


@pytest.fixture(scope="module")
def address(trained, tmp_path_factory):
    """Where a studio answers, started as a person starts it."""
    command = [sys.executable, "-m", "diffmidi_core", "studio", "--no-browser", "--model", str(trained)]
    process = subprocess.Popen(
        [*command, "--folder", str(tmp_path_factory.mktemp("studio") / "its")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1]
    process.send_signal(signal.SIGINT)
    process.wait(30)
    process.stdout.close()


@pytest.fixture(scope="module")
def chromium():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("Chromium is not installed, so that the studio cannot be opened in it")
    tab = Tab(found)
    yield tab
    tab.close()


@pytest.fixture
def tab(chromium, address):
    """The studio's first page; at the end of a test nothing has complained, and nobody else was asked for anything."""
    chromium.open("about:blank")
    chromium.open(address, width=1280)
    chromium.until("document.querySelector('#start')?.hidden === false")
    yield chromium
    assert chromium.complaints() == []
    own = address.split("?")[0]
    assert [url for url in chromium.requested() if not url.startswith(own)] == []


def open_piece(tab, path, score=None, name="tune.mid"):
    """A MIDI file, chosen in the browser's dialog."""
    write_midi(score or tune(), path / name)
    tab.choose_file("#file", path / name)
    tab.until(f"{OPEN} && document.querySelector('#name').textContent === {name!r}")


def test_a_piece_is_painted_drawn_heard_kept_and_downloaded(tab, tmp_path):
    open_piece(tab, tmp_path)
    assert tab.ask("studio.roll.music.bars.map(bar => bar[0])") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert tab.ask("document.querySelector('#generate').disabled")

    tab.drag(tab.on_roll(3, 60), tab.on_roll(4, 62))
    assert tab.ask(REGION) == "bars 3-4"
    tab.until("!document.querySelector('#generate').disabled")
    tab.press("g")
    tab.until(f"document.querySelectorAll('.take').length === 2 && {IDLE}")
    assert "--region 'bars 3-4'" in tab.ask("document.querySelector('#command code').textContent")

    tab.press("2")
    tab.until("studio.player.side === 'b' && studio.player.playing && studio.roll.playhead > 2.2")
    assert tab.ask("Math.abs(studio.roll.playhead - studio.player.sound.currentTime) < 0.5")
    tab.press("a")
    tab.until("studio.player.side === 'a' && studio.player.playing && studio.player.sound.currentTime > 2.2")
    tab.press(" ")
    tab.until("!studio.player.playing")

    tab.press("a")
    take = tab.ask("location.hash.split('/')[1]")
    assert take.endswith(".002")
    tab.press("k")
    tab.until("!document.querySelector('#undo').disabled && !location.hash.includes('/')")
    kept = tab.ask("location.hash")
    tab.press("z")
    tab.until(f"document.querySelector('#undo').disabled && location.hash !== {kept!r}")
    tab.press("Z", shift=True)
    tab.until(f"location.hash === {kept!r} && !document.querySelector('#undo').disabled")

    for link, magic in (("midi", "MThd"), ("wav", "RIFF")):
        fetched = f"""fetch(document.querySelector('#{link}').href).then(async answer =>
          [answer.headers.get('content-disposition'), (await answer.text()).slice(0, 4)])"""
        disposition, start = tab.ask(fetched)
        assert "attachment" in disposition
        assert start == magic

    tab.press("z")
    tab.until("document.querySelectorAll('.take').length === 2")
    where = tab.ask("location.href")
    tab.open("about:blank")
    tab.open(f"{where.split('/infill')[0]}/{take}")
    tab.until("document.querySelector('.take.chosen b')?.textContent === 'Take 2'")
    assert tab.ask(REGION) == "bars 3-4"
    assert tab.ask("studio.roll.music.isTake")


def test_what_is_painted_is_told_in_the_region_language(tab, tmp_path):
    open_piece(tab, tmp_path)
    tab.drag(tab.on_roll(2, 60), tab.on_roll(2, 60))
    assert tab.ask(REGION) == "bars 2"
    tab.drag(tab.on_roll(3, 60), tab.on_roll(6, 60), SHIFT)
    assert tab.ask(REGION) == "bars 2-6"
    tab.drag(tab.on_roll(4, 60), tab.on_roll(4, 60), ALT)
    assert tab.ask(REGION) == "bars 2-3\nbars 5-6"

    tab.click("input[name=tool][value=box]")
    tab.drag(tab.on_roll(5, 67), tab.on_roll(8, 60))
    assert tab.ask(REGION) == "bars 5-8, pitch C4-G4"
    tab.drag(tab.on_roll(6, 64), tab.on_roll(6, 62), ALT)
    assert tab.ask(REGION).split("\n") == [
        "bars 5, pitch C4-G4",
        "bars 7-8, pitch C4-G4",
        "bars 6, pitch C4-C#4",
        "bars 6, pitch F4-G4",
    ]

    tab.click("input[name=tool][value=notes]")
    tab.drag(tab.on_roll(1, 64, 0.1), tab.on_roll(1, 64, 0.1))  # the first note, of half a second
    assert tab.ask(REGION) == "seconds 0-0.5, pitch E4"
    tab.drag(tab.on_roll(1, 65, 0.6), tab.on_roll(1, 65, 0.6), SHIFT)
    assert tab.ask(REGION) == "seconds 0-0.5, pitch E4\nseconds 1-1.5, pitch F4"


def test_all_of_it_goes_by_keyboard(tab, tmp_path):
    open_piece(tab, tmp_path)
    tab.ask("document.querySelector('#roll').focus()")
    tab.press("ArrowRight")
    assert tab.ask(REGION) == "bars 1"
    tab.press("ArrowRight")
    tab.press("ArrowRight", shift=True)
    tab.press("ArrowRight", shift=True)
    assert tab.ask(REGION) == "bars 2-4"
    tab.press("ArrowUp")
    band = tab.ask(REGION)
    assert band.startswith("bars 2-4, pitch ")
    tab.press("ArrowDown", shift=True)
    assert tab.ask(REGION) != band
    tab.press("Delete")
    assert tab.ask(REGION) == ""
    tab.press("?")
    assert tab.ask("document.querySelector('#keys').open")
    tab.press("Escape")
    assert not tab.ask("document.querySelector('#keys').open")
    unnamed = """[...document.querySelectorAll('input, textarea, select, button, a, [tabindex="0"]')]
      .filter(e => !e.labels?.length && !(e.ariaLabel || e.textContent.trim())).map(e => e.outerHTML)"""
    assert tab.ask(unnamed) == []


def test_tracks_that_are_off_are_not_painted_in(tab, tmp_path):
    score = toy_scores()["tune"]
    score.tracks.append(score.tracks[0].copy())
    score.tracks[0].name, score.tracks[1].name = "Upper", "Lower"
    open_piece(tab, tmp_path, score)
    assert tab.ask("[...document.querySelectorAll('.chip')].map(chip => chip.textContent)") == ["Upper", "Lower"]
    tab.click("#tracks li:nth-child(1) .chip")
    tab.drag(tab.on_roll(2, 60), tab.on_roll(3, 60))
    assert tab.ask(REGION) == "bars 2-3, track 2"


def test_a_mistake_is_told_and_a_name_is_only_text(tab, tmp_path):
    (tmp_path / "no.mid").write_bytes(b"no music")
    tab.choose_file("#file", tmp_path / "no.mid")
    tab.until("!document.querySelector('#message').hidden")
    refused = [line for line in tab.complaints() if "422" in line]
    tab.events.clear()  # the browser notes that the file was refused
    assert len(refused) == 1
    open_piece(tab, tmp_path, name=HOSTILE)
    assert tab.ask("document.querySelectorAll('main img').length") == 0
    tab.ask("document.querySelector('#region').value = 'bars 99'")
    tab.ask("document.querySelector('#region').dispatchEvent(new Event('input', {bubbles: true}))")
    tab.until("document.querySelector('#plan').textContent.includes('bars up to 8')")
    assert tab.ask("document.querySelector('#generate').disabled")
    tab.events.clear()


def test_music_from_nothing_is_kept_and_a_draw_is_cancelled(tab, tmp_path):
    tab.ask("document.querySelector('#nothing-bars').value = 2")
    tab.ask("document.querySelector('#nothing-takes').value = 1")
    tab.click("#write")
    tab.until(f"{OPEN} && document.querySelectorAll('.take').length === 1")
    tab.press("k")
    tab.until("location.hash.startsWith('#piece-') && !document.querySelector('#studio').hidden")

    tab.click("input[name=command][value=continue]")
    tab.ask("document.querySelector('#candidates').value = 9")
    tab.ask("document.querySelector('#bars').value = 16")
    tab.until("!document.querySelector('#generate').disabled")
    tab.click("#generate")
    tab.until(f"!({IDLE})")
    tab.press("Escape")
    tab.until(IDLE)
    assert (
        tab.ask("fetch('/api/state').then(answer => answer.json()).then(state => state.draws.at(-1).state)")
        == "cancelled"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_can_be_read(tab, tmp_path, width, scheme):
    where = tab.ask("location.href")
    for state in ("start", "piece"):
        tab.open("about:blank")
        tab.open(where, width=width, scheme=scheme)
        tab.until("document.querySelector('#start')?.hidden === false")
        if state == "piece":
            open_piece(tab, tmp_path)
            tab.drag(tab.on_roll(2, 60), tab.on_roll(3, 60))
        assert tab.ask("document.documentElement.scrollWidth") <= width
        assert tab.ask(CONTRAST) == []
        tab.picture(tmp_path / f"{state}.png")
        assert (tmp_path / f"{state}.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_downloaded_is_the_piece(tab, address, tmp_path):
    open_piece(tab, tmp_path)
    data = tab.ask(
        "fetch(document.querySelector('#midi').href).then(answer => answer.arrayBuffer())"
        ".then(buffer => [...new Uint8Array(buffer)])"
    )
    (tmp_path / "back.mid").write_bytes(bytes(data))
    assert len(read_midi(tmp_path / "back.mid").tracks[0].notes) == len(tune().tracks[0].notes)
    with pytest.raises(OSError, match="403"):
        urlopen(f"{address.split('/?')[0]}/api/state")
