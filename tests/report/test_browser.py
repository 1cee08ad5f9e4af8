"""The report in a real browser: it plays, nothing is missing, nothing complains, and it can be read anywhere."""

import pytest

from diffmidi.api.hook import Picture, Section, Table
from diffmidi_core.show.report import write

from .conftest import fill, leave_draw, music, tone
from .sections import built

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>alert(1)</script>'
    b'<rect width="9" height="9"/></svg>'
)
CONTRAST = """(() => {
  const parse = text => { const c = text.match(/[\\d.]+/g).map(Number); return c.length < 4 ? [...c, 1] : c; };
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const c = parse(getComputedStyle(node).backgroundColor); if (c[3] == 1) return c;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), poor = [];
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest("style, script, metadata")) continue;
    const style = getComputedStyle(node), svg = node.closest("svg");
    const [a, b] = [light(parse(svg ? style.fill : style.color)), light(behind(node))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) poor.push(walker.currentNode.data.trim());
  }
  return poor;
})()"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A report with the built-in sections and a plugin's."""
    folder = fill(tmp_path_factory.mktemp("report") / "run")
    leave_draw(folder, "step-200", step=200, count=1)
    theirs = Section(
        "Theirs", ["1 < 2", Table(("a", "b"), [("x", 1.5)], "Numbers"), Picture(SVG, "a square", "Square")]
    )
    write(folder / "report.html", "run", [*built(folder, {"a piece": music(5)}), theirs])
    return (folder / "report.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_it_opens_without_a_complaint_fits_and_can_be_read(chromium, url, width, scheme):
    chromium.open(url, width=width, scheme=scheme)
    chromium.ask('document.querySelectorAll("details").forEach(each => each.open = true)')
    chromium.ask('document.querySelectorAll(".draw").forEach(each => each.hidden = false)')
    assert chromium.ask("document.documentElement.scrollWidth") <= width
    assert chromium.ask(CONTRAST) == []
    assert chromium.complaints() == []
    assert {address for address in chromium.requested() if not address.startswith("data:")} == {url}


def test_every_sample_plays(chromium, url):
    chromium.open(url)
    durations = chromium.ask(
        """Promise.all([...document.querySelectorAll("audio")].map(audio => new Promise((done, failed) => {
          audio.onerror = () => failed(audio.error.message);
          audio.readyState > 0 ? done(audio.duration) : audio.onloadedmetadata = () => done(audio.duration);
        })))"""
    )
    assert durations == pytest.approx([4.5, 4.5, 4.5], abs=0.01)
    played = chromium.ask(
        """new Promise((done, failed) => {
          const audio = document.querySelector("audio");
          audio.ontimeupdate = () => { if (audio.currentTime > 0) { audio.pause(); done(audio.currentTime); } };
          audio.play().catch(failed);
        })"""
    )
    assert played > 0
    assert chromium.complaints() == []


SEEN = '[...document.querySelectorAll("h3")].filter(each => each.checkVisibility()).map(each => each.textContent)'


def test_another_draw_can_be_chosen_and_what_plays_then_stops(chromium, url):
    chromium.open(url)
    assert [each for each in chromium.ask(SEEN) if each.startswith("Draw")] == ["Draw 1"]
    chromium.ask('document.querySelector("audio").play()')
    chromium.ask(
        """(() => { const select = document.querySelector("select");
          select.selectedIndex = 1; select.dispatchEvent(new Event("change")); })()"""
    )
    assert [each for each in chromium.ask(SEEN) if each.startswith("Draw")] == ["Draw step-200, made while training"]
    assert chromium.ask('document.querySelector("audio").paused')
    assert chromium.ask('[...document.querySelectorAll("select")].every(each => each.labels.length == 1)')


def test_nothing_is_missing(chromium, url):
    chromium.open(url)
    assert chromium.ask("[...document.images].map(image => image.complete && image.naturalWidth > 0)") == [True]
    titles = ["Samples", "Overview", "Figures", "Bits by token type", "Training", "Tokens", "Theirs"]
    assert chromium.ask('[...document.querySelectorAll("h2")].map(each => each.textContent)') == titles
    broken = (
        '[...document.querySelectorAll("nav a")].filter(a => !document.querySelector(a.getAttribute("href"))).length'
    )
    assert chromium.ask(broken) == 0
    assert chromium.ask('document.querySelectorAll(".card svg .notes, .card svg .wave").length') >= 4
    chromium.ask('document.querySelectorAll(".draw").forEach(each => each.hidden = false)')
    boxes = '[...document.querySelectorAll("svg")].map(svg => svg.getBoundingClientRect())'
    assert chromium.ask(f"{boxes}.every(box => box.width * box.height > 0)")


def test_who_cannot_see_is_told_what_there_is(chromium, url):
    chromium.open(url)
    assert chromium.ask("document.documentElement.lang") == "en"
    assert chromium.ask('[...document.querySelectorAll("svg")].every(svg => svg.getAttribute("aria-label"))')
    assert chromium.ask("[...document.images].every(image => image.alt)")
    assert chromium.ask('[...document.querySelectorAll("audio")].map(each => each.ariaLabel)') == [
        "Play piece 1 of draw 1",
        "Play piece 2 of draw 1",
        "Play piece 1 of draw step-200",
    ]
    ids = chromium.ask('[...document.querySelectorAll("[id]")].map(each => each.id)')
    assert len(ids) == len(set(ids))


def test_scripts_in_a_section_are_dead(chromium, tmp_path):
    from markupsafe import Markup

    said = Markup('<script>document.title = "run"</script><img src=x alt="" onerror="document.title = \'ran\'">')
    write(tmp_path / "report.html", "quiet", [Section("Evil", [said])])
    chromium.open((tmp_path / "report.html").as_uri())
    assert chromium.ask("document.title") == "quiet · diffmidi"


def test_sound_of_other_forms_plays_too(chromium, tmp_path):
    folder = fill(tmp_path / "run")
    tone(folder / "draws" / "1" / "001.wav", 1.0, channels=1, rate=22_050)
    write(folder / "report.html", "run", built(folder))
    chromium.open((folder / "report.html").as_uri())
    duration = chromium.ask(
        """new Promise(done => { const audio = document.querySelector("audio");
          audio.readyState > 0 ? done(audio.duration) : audio.onloadedmetadata = () => done(audio.duration); })"""
    )
    assert duration == pytest.approx(1.0, abs=0.01)
