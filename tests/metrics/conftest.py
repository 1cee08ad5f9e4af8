"""Music whose figures are known by hand, as metrics get it."""

import numpy as np
import pytest

from diffmidi.api.metric import Sample, TrainingMusic, WindowBits
from diffmidi.api.tokenizer import score_of
from diffmidi_core.music.notes import Notes
from diffmidi_core.music.toy import from_rows
from diffmidi_core.registry import find


@pytest.fixture(scope="session")
def tokenizer():
    return find("tokenizer", "mmm").build({"layout": "aligned"})


@pytest.fixture
def sample(tokenizer):
    """A sample from rows of (onset, length, pitch) in quarter notes; its words do not matter to score metrics."""

    def make(rows, training=None):
        score = from_rows([(onset, length, pitch, 80) for onset, length, pitch in rows])
        return Sample(tokenizer.encode(score), score, tokenizer, training)

    return make


@pytest.fixture
def window(tokenizer):
    """A held-out window of `notes` quarter notes, one every half second, with given bits at its positions."""

    def make(notes, by_level=None, **terms):
        score = score_of(Notes(*np.array([[480 * i, 480, 60 + i, 80] for i in range(notes)]).reshape(-1, 4).T))
        ids = tokenizer.encode(score)
        return WindowBits(
            {name: np.asarray(bits, dtype=float) for name, bits in terms.items()},
            Sample(ids, score, tokenizer),
            by_level=by_level,
        )

    return make


@pytest.fixture
def figure():
    """What a metric says of items, beside held-out ones."""

    def judge(name, items, reference=(), **options):
        metric = find("metric", name).build(options)
        return metric.summarise([metric.measure(item) for item in items], [metric.measure(item) for item in reference])

    return judge


@pytest.fixture
def training(tokenizer):
    """What a model was trained on, from lists of rows as `sample` takes them."""

    def make(*pieces):
        def read(number):
            return from_rows([(onset, length, pitch, 80) for onset, length, pitch in pieces[number]])

        names = [f"piece {number}" for number in range(len(pieces))]
        return TrainingMusic(names, read, lambda number: tokenizer.encode(read(number)))

    return make
