"""The music that a model is judged on, and that its pieces are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from diffmidi_core.contracts.metric import Sample, TrainingMusic
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.data.kept import Kept
from diffmidi_core.judge.judged import MUSIC
from diffmidi_core.music.notes import Score
from diffmidi_core.sections import BARS

WHOLE = 0.75
"""Windows are cut at note boundaries, so that they fall a little short of the length that drawn pieces have exactly."""

Split = Literal["test", "heldout", "all"]


class ReferenceMusic:
    """Prepared music, of which the share is judged on that neither training nor the choice of a checkpoint has seen.

    Which windows these are follows from the data alone, never from a seed of the training.

    Args:
        folder: what `prepare` wrote.
        tokenizer: the one that it was written with; another is refused.
        length, bars: tokens and bars in a window at most (`TokenDataset`).
        everything: all pieces are judged on: this is other music than the model's own.
        training: what the model was trained on; by default the training pieces of this folder.
        name: what it is called beside figures; by default after its split.

    Attributes:
        dataset: the folder, opened.
        split: "test"; "heldout" where no piece was kept for the test; "all" where everything is judged on.
        training, name: as above.
    """

    def __init__(
        self,
        folder: Path,
        tokenizer: Tokenizer,
        *,
        length: int,
        bars: int = BARS,
        everything: bool = False,
        training: TrainingMusic | None = None,
        name: str = "",
    ) -> None:
        self._folder, self._everything = folder, everything
        self.tokenizer = tokenizer
        self.dataset = TokenDataset(folder, tokenizer, length=length, bars=bars)
        if everything:
            pieces = (self.dataset.train_pieces, self.dataset.heldout_pieces, self.dataset.test_pieces)
            self.dataset.test_pieces = np.sort(np.concatenate(pieces))
        self.split: Split = "all" if everything else "test" if len(self.dataset.test_pieces) else "heldout"
        self.name = name or MUSIC[self.split]
        self.training = training or training_music(self.dataset, tokenizer)

    @property
    def length(self) -> int:
        """Tokens in a window at most."""
        return self.dataset.length

    def of_length(self, length: int, bars: int | None = None) -> ReferenceMusic:
        """The same music, cut into windows of another length, and of so many bars."""
        bars = bars or self.dataset.bars
        if (length, bars) == (self.length, self.dataset.bars):
            return self
        return ReferenceMusic(
            self._folder,
            self.tokenizer,
            length=length,
            bars=bars,
            everything=self._everything,
            training=self.training,
            name=self.name,
        )

    def windows(self, count: int) -> list[Window]:
        """`count` windows at most, the same at every call."""
        return self.dataset.heldout(count) if self.split == "heldout" else self.dataset.test(count)

    def training_windows(self, count: int) -> list[Window]:
        """`count` windows at most that were trained on; none where everything is judged on."""
        return [] if self.split == "all" else self.dataset.training(count)

    def whole_windows(self, count: int) -> list[Window]:
        """Those of the windows that are about as long as a window can be: not the short ends of pieces."""
        return [window for window in self.windows(count) if self.dataset.fills(window, WHOLE)]

    def samples(self, windows: Sequence[Window]) -> list[Sample]:
        """Windows as music, decoded as drawn pieces are."""
        return samples_of(self.dataset, windows, self.tokenizer, self.training)

    def pieces(self) -> list[Score]:
        """All that is judged on, whole, as its tokens decode to."""
        numbers = self.dataset.heldout_pieces if self.split == "heldout" else self.dataset.test_pieces
        return [self.tokenizer.decode(self.dataset.piece(number)) for number in numbers]

    def about(self) -> dict[str, object]:
        """What is written beside figures: which music they are on."""
        return {"split": self.split, "data_fingerprint": self.dataset.fingerprint}


def samples_of(
    dataset: TokenDataset, windows: Sequence[Window], tokenizer: Tokenizer, training: TrainingMusic | None = None
) -> list[Sample]:
    """Windows of a dataset as music."""
    tokens = [dataset.tokens(window) for window in windows]
    return [Sample(ids, tokenizer.decode(ids), tokenizer, training) for ids in tokens]


def training_music(dataset: TokenDataset, tokenizer: Tokenizer) -> TrainingMusic:
    """The pieces that are trained on, each decoded when it is asked for."""
    return TrainingMusic(
        [dataset.name(piece) for piece in dataset.train_pieces],
        lambda number: tokenizer.decode(dataset.piece(dataset.train_pieces[number])),
        lambda number: dataset.piece(dataset.train_pieces[number]),
        Kept.beside(dataset.folder, dataset.fingerprint),
    )
