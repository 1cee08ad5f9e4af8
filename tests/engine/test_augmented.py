"""What training varies, and what it looks at as it is."""

import pytest

from diffmidi_core.errors import UsageError


def test_music_is_transposed_in_training_where_that_is_asked(trainer):
    training = trainer("varied", "augment.transpose=5")
    windows = training.dataset.draw(8, seed=1, step=0)
    plain = training.dataset.draw(8, seed=1, step=0, plain=True)
    assert not training.dataset.batch(windows).ids.equal(training.dataset.batch(plain).ids)


def test_looks_take_music_as_it_is(trainer):
    """The bounds on training and on held-out music are compared: both are of music that nobody changed."""
    varied, plain = trainer("varied", "augment.transpose=5"), trainer("plain")
    for one, two in ((varied.trained_on, plain.trained_on), (varied.heldout, plain.heldout)):
        assert one
        assert varied.dataset.batch(one).ids.equal(plain.dataset.batch(two).ids)


def test_what_words_cannot_do_is_refused_before_music_is_read(trainer):
    with pytest.raises(UsageError, match=r"augment\.tempo=0\.1: .* count in beats"):
        trainer("stretched", "augment.tempo=0.1")
