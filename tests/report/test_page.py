"""The page: what listeners answer becomes sections, whatever they are."""

import base64
import hashlib

import pytest
from markupsafe import Markup

from diffmidi.api import hookimpl
from diffmidi.api.hook import Picture, Section, Table
from diffmidi_core.hooks import Hooks
from diffmidi_core.show.report import collect, write

PNG = b"\x89PNG\r\n\x1a\n rest"


class Talker:
    def __init__(self, answer):
        self.answer = answer

    @hookimpl
    def report_sections(self):
        return self.answer


def asked(**listeners):
    hooks = Hooks((name, Talker(answer)) for name, answer in listeners.items())
    found = collect(hooks, folder=None, config={}, training=lambda: None)
    return [section.title for section in found], hooks.warnings


def page(tmp_path, *sections):
    write(tmp_path / "report.html", "a <run>", sections)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_sections_stand_in_the_order_of_the_listeners():
    titles, warnings = asked(b=[Section("B", ["b"])], none=None, a=[Section("A", []), Section("C", [])])
    assert titles == ["B", "A", "C"]
    assert warnings == []


@pytest.mark.parametrize("answer", ["text", [1], Section("alone", []), {"a": 1}])
def test_an_answer_that_is_no_list_of_sections_is_named_and_left_out(answer):
    titles, warnings = asked(bad=answer, good=[Section("G", [])])
    assert titles == ["G"]
    assert len(warnings) == 1
    assert warnings[0].startswith("hook 'bad' answered report_sections with ")


def test_text_is_escaped_markup_is_not_and_the_rest_is_drawn(tmp_path):
    table = Table(("name", "value"), [("x <y>", 0.123456), (None, 12_345)], "Two rows")
    html = page(tmp_path, Section("1 < 2", ["a < b", Markup("<b>bold</b>"), table, Picture(PNG, 'a "roll"', "Seen")]))
    for part in (
        *("<h1>a &lt;run&gt;</h1>", ">1 &lt; 2</h2>", "<p>a &lt; b</p>", "\n<b>bold</b>\n", "x &lt;y&gt;"),
        *('<td class="number">0.123</td>', '<td class="number">12,345</td>', "<td>\N{EN DASH}</td>"),
        *("data:image/png;base64,iVBORw0KGgog", 'alt="a &#34;roll&#34;"', "<figcaption>Seen</figcaption>"),
    ):
        assert part in html


def test_sections_with_one_title_have_anchors_of_their_own(tmp_path):
    html = page(tmp_path, Section("Mine", []), Section("mine!", []), Section("Mine 2", []), Section("…", []))
    for anchor in ("mine", "mine-2", "mine-2-2", "section"):
        assert html.count(f'href="#{anchor}"') == html.count(f'<section id="{anchor}"') == 1


def test_the_page_lets_nothing_in_and_runs_only_its_own(tmp_path):
    html = page(tmp_path, Section("A", []))
    assert "default-src 'none'" in html
    assert html.count("<script") == 1
    script = html.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\"" in html
    assert "http:" not in html
    assert "https:" not in html


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Section(" ", []), "needs a title"),
        (lambda: Section("A", "text"), "list of str"),
        (lambda: Section("A", [1]), "list of str"),
        (lambda: Table(("a", "b"), [(1,)]), "2 cells"),
        (lambda: Picture(b"GIF89a", "a gif"), "PNG, JPEG or SVG"),
        (lambda: Picture(PNG, ""), "needs alt"),
    ],
)
def test_a_section_that_cannot_be_shown_is_refused_when_it_is_made(make, said):
    with pytest.raises((ValueError, TypeError), match=said):
        make()


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b" <svg>", "image/svg+xml"),
        (b'<?xml version="1.0"?>\n<!-- by hand -->\n<svg>', "image/svg+xml"),
    ],
)
def test_pictures_are_known_by_their_bytes(data, mime):
    assert Picture(data, "seen").mime == mime
