"""Writing a renderer: a score as a file to hear or to see.

A Renderer is built as `Class(options)`. `suffix` is what its files end with, and `render(score, path, title=...)`
writes one, whole or not at all: `whole_file` gives a path beside it, which is renamed into its place when all is
written.

    class Pitches(Renderer):
        suffix = ".pitches.txt"

        def render(self, score, path, *, title=""):
            with whole_file(path) as beside:
                beside.write_text(" ".join(map(str, notes_of(score).pitch)) or "silence", encoding="utf-8")

Pages show pieces alike: `piece_view` puts notes above their sound (`small_sound`), `piece_html` draws them with a
player, and `piece_style` is the style that they need, once a page.

Checks of the conformance kit, besides those of every kind: check_suffix_begins_with_a_dot, check_writes_one_file,
check_replaces_whole, check_unwritable_is_said, check_any_title_will_do, check_score_is_left_alone.
"""

from diffmidi_core.contracts.renderer import Change, Renderer
from diffmidi_core.files import whole_file
from diffmidi_core.music.bar_lines import BarLines, Ruling, named_tracks, ruling
from diffmidi_core.music.clock import SECOND, clock_of
from diffmidi_core.music.notes import Notes, Score, notes_of
from diffmidi_core.music.reading import write_midi
from diffmidi_core.show.cards import (
    PieceView,
    Sound,
    data_url,
    passage_html,
    piece_html,
    piece_style,
    piece_view,
    small_sound,
)
from diffmidi_core.show.palette import TRACKS, VELOCITIES

__all__ = [
    "SECOND",
    "TRACKS",
    "VELOCITIES",
    "BarLines",
    "Change",
    "Notes",
    "PieceView",
    "Renderer",
    "Ruling",
    "Score",
    "Sound",
    "clock_of",
    "data_url",
    "named_tracks",
    "notes_of",
    "passage_html",
    "piece_html",
    "piece_style",
    "piece_view",
    "ruling",
    "small_sound",
    "whole_file",
    "write_midi",
]
