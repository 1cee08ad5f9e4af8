"""What a renderer promises."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from diffmidi_core.contracts.renderer import Renderer
from diffmidi_core.music.notes import Score
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect, never_raises, refuses

TRIED = ("one_note", "silence")
TITLE = "Études_op.10 $no^3 {100%} \\n <b>[red]音楽"


def use(renderer: Renderer) -> None:
    """What a run does with it."""
    with tempfile.TemporaryDirectory() as folder:
        renderer.render(_toy("one_note"), Path(folder) / f"piece{renderer.suffix}", title="piece")


def check_suffix_begins_with_a_dot(component: Component) -> None:
    """`suffix` is what the file's name ends with."""
    suffix = component.build().suffix
    expect(suffix.startswith(".") and len(suffix) > 1 and "/" not in suffix, f"a suffix like '.wav', not {suffix!r}")


def check_writes_one_file(component: Component) -> None:
    """A score, also one without notes, gives one file that is not empty, at the path that was asked for."""
    renderer: Renderer = component.build()
    for name in TRIED:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}{renderer.suffix}"
            with never_raises(f"rendering {name}"):
                renderer.render(_toy(name), path, title=name)
            found = [each.name for each in Path(folder).iterdir()]
            expect(found == [path.name], f"{name}: one file, {path.name}, is left in the folder; found {found}")
            expect(path.stat().st_size > 0, f"{name}: the file is empty")


def check_replaces_whole(component: Component) -> None:
    """A file that stands there is replaced by a rename, not written into: readers see all of the old or of the new."""
    renderer: Renderer = component.build()
    with tempfile.TemporaryDirectory() as folder:
        path, link = Path(folder) / f"piece{renderer.suffix}", Path(folder) / "link"
        path.write_text("what stood there")
        os.link(path, link)
        renderer.render(_toy("one_note"), path)
        expect(
            link.read_bytes() == b"what stood there",
            "the old file was written into: use diffmidi.api.renderer.whole_file",
        )
        expect(path.read_bytes() != b"what stood there", "the file was not replaced")


def check_unwritable_is_said(component: Component) -> None:
    """A path that cannot be written is a DiffmidiError."""
    renderer: Renderer = component.build()
    with tempfile.TemporaryDirectory() as folder:
        blocked = Path(folder) / "file"
        blocked.write_text("")
        with refuses("rendering into a folder that is a file"):
            renderer.render(_toy("one_note"), blocked / f"piece{renderer.suffix}")


def check_any_title_will_do(component: Component) -> None:
    """A title is a file's name as a rule, and those hold anything."""
    renderer: Renderer = component.build()
    with tempfile.TemporaryDirectory() as folder, never_raises(f"the title {TITLE!r}"):
        renderer.render(_toy("one_note"), Path(folder) / f"piece{renderer.suffix}", title=TITLE)


def check_score_is_left_alone(component: Component) -> None:
    """Rendering does not change the score."""
    score = _toy("one_note")
    with tempfile.TemporaryDirectory() as folder:
        renderer: Renderer = component.build()
        renderer.render(score, Path(folder) / f"piece{renderer.suffix}")
    expect(score == _toy("one_note"), "rendering changes the score it is given")


def _toy(name: str) -> Score:
    return toy_scores()[name]
