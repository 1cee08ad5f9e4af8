"""The docs are built without a warning, whole, and open without a network."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from diffmidi_core.cli import COMMANDS
from diffmidi_core.kinds import KINDS
from diffmidi_core.registry import offers

from .pages import ROOT

NEEDED = ("zensical", "mkdocstrings", "latex2mathml")
MISSING = [module for module in NEEDED if find_spec(module) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"pip install 'diffmidi[docs]': no {', '.join(MISSING)} here")

FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "use": "href",
}
"""What a browser asks for by itself, tag to attribute; and of `link` all but what only names another page."""
NAMED_ONLY = {"next", "prev", "canonical", "alternate", "license", "edit"}


class Page(HTMLParser):
    """What a page fetches, where it links to, and its places."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and not NAMED_ONLY & {*given.get("rel", "").split()}:
            self.fetched.append(given["href"])
        elif FETCHED.get(tag) in given:
            self.fetched.append(given[FETCHED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    sys.path.insert(0, str(ROOT))
    try:
        from docs.generate.site import build
    finally:
        sys.path.remove(str(ROOT))
    return build(tmp_path_factory.mktemp("docs") / "built")  # raises where Zensical warns


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    return {file: Page(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}


def test_nothing_is_fetched_from_elsewhere(site, pages):
    assert len(pages) > 40
    for file, page in pages.items():
        for target in page.fetched:
            assert not re.match(r"(https?:)?//", target), f"{file.relative_to(site)} fetches {target}"
    for sheet in site.rglob("*.css"):
        found = re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")]+)", sheet.read_text(encoding="utf-8"))
        assert not found, f"{sheet.name} fetches {found}"


def test_what_is_fetched_and_linked_is_there(site, pages):
    for file, page in pages.items():
        if file.name == "404.html":
            continue
        for target in (*page.fetched, *page.links):
            path, _, place = unquote(target).partition("#")
            if re.match(r"\w+:", path):
                continue
            there = (file.parent / path).resolve() if path else file
            assert there.exists(), f"{file.relative_to(site)} leads to {target}"
            if place and there in pages and not place.startswith("__"):
                assert place in pages[there].places, f"{file.relative_to(site)} leads to {target}"


def test_every_page_is_in_the_contents(site):
    def named(entry) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        return [page for each in (entry.values() if isinstance(entry, dict) else entry) for page in named(each)]

    contents = named(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    there = {page.relative_to(site.parent / "docs").as_posix() for page in (site.parent / "docs").rglob("*.md")}
    assert sorted(contents) == sorted(there)


def test_commands_parts_and_options_are_those_of_the_code(site):
    commands = Page((site / "reference/commands.html").read_text(encoding="utf-8"))
    assert {f"diffmidi-{name}" for name in COMMANDS} <= commands.places
    for kind in KINDS.values():
        if not kind.folder:
            text = (site / f"reference/built-in/{kind.name}.html").read_text(encoding="utf-8")
            own = [offer for offer in offers(kind.name) if offer.package == "diffmidi"]
            assert {offer.name for offer in own} <= Page(text).places
    assert "backbone.dropout" in (site / "reference/built-in/backbone.html").read_text(encoding="utf-8")
    assert "train.patience" in (site / "reference/settings.html").read_text(encoding="utf-8")


def test_formulas_are_drawn_by_the_browser_itself(site):
    text = (site / "explanation/mathematics.html").read_text(encoding="utf-8")
    assert text.count("<math") > 15
    assert "$" not in re.sub(r"<(script|style|code|pre).*?</\1>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_pages_beside_the_code_lead_to_files(page):
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert len(links) > 3
    for target in links:
        assert re.match(r"https?:", target) or (ROOT / target).exists(), f"{page} leads to {target}"
