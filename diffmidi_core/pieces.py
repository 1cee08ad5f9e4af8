"""What a pipeline gives back: music that a notebook shows and plays, and that saves itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from symusic.core import ScoreTick

from diffmidi_core.files import whole_file


class Html:
    """HTML that a notebook shows as it is."""

    def __init__(self, html: str) -> None:
        self.html = html

    def __repr__(self) -> str:
        return f"<HTML of {len(self.html)} characters, which a notebook shows>"

    def _repr_html_(self) -> str:
        return self.html


class Music(Protocol):
    """What can be shown."""

    @property
    def score(self) -> Piece:
        """The whole piece."""

    def midi(self) -> bytes:
        """It as a MIDI file."""


def write_whole(path: Path | str, data: bytes) -> None:
    """Write a file, whole or not at all; `~` is the user's home. Raises DiffmidiError where that fails."""
    with whole_file(Path(path).expanduser()) as temporary:
        temporary.write_bytes(data)


class Shown:
    """Of a `Music`: `save("new.mid")` writes it, `roll()` and `audio()` show and play it; a notebook shows both."""

    def save(self: Music, path: Path | str) -> None:
        """Write the whole piece as a MIDI file, whole or not at all. Raises DiffmidiError where that fails."""
        write_whole(path, self.midi())

    def roll(self: Music) -> Html:
        """Its piano roll."""
        from diffmidi_core.show.inline import roll_of, svg

        return Html(svg(roll_of(self.score), "Piano roll"))

    def audio(self: Music) -> Html:
        """A player of its sound."""
        from diffmidi_core.show.inline import player

        return Html(player(self.score, "the piece"))

    def _repr_html_(self: Music) -> str:
        from diffmidi_core.show.inline import card, row

        return row([card(self.score, self.midi(), "Piece")])


class Piece(ScoreTick):
    """A `Score` that shows itself, with the methods of `Shown`: symusic's scores take no second base."""

    save, roll, audio, _repr_html_ = Shown.save, Shown.roll, Shown.audio, Shown._repr_html_

    @property
    def score(self) -> Piece:
        """Itself."""
        return self

    def midi(self) -> bytes:
        """It as a MIDI file."""
        return bytes(self.dumps_midi())


P = TypeVar("P", bound=Music)


class Pieces(list[P]):
    """A list of pieces, or of takes, that a notebook shows; each sound is stored once."""

    def __init__(self, pieces: Iterable[P] = (), what: str = "Piece") -> None:
        super().__init__(pieces)
        self.what = what

    def _repr_html_(self) -> str:
        from diffmidi_core.show.inline import SHOWN, SOUND, card, row

        shown = self[:SHOWN]
        room = SOUND // max(1, len(shown))
        cards = [
            card(each.score, each.midi(), f"{self.what} {number}", room) for number, each in enumerate(shown, start=1)
        ]
        left = len(self) - len(shown)
        more = f"<div>{left} more: pieces[{SHOWN}:] shows them.</div>" if left else ""
        return row(cards, more) if cards else "<div>no pieces</div>"

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Pieces(found, self.what) if isinstance(index, slice) else found
