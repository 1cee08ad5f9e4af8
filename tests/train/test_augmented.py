"""What training varies, and what it looks at as it is."""

import json

import pytest

from diffmidi_core.errors import UsageError
from diffmidi_core.sections import MANY_EPOCHS, SEMITONES
from diffmidi_core.train.whole import train


def test_music_is_transposed_in_training_where_that_is_asked(trainer):
    training = trainer("varied", "augment.transpose=5")
    windows = training.dataset.draw(8, seed=1, step=0)
    plain = training.dataset.draw(8, seed=1, step=0, plain=True)
    assert not training.dataset.batch(windows).ids.equal(training.dataset.batch(plain).ids)


def test_music_that_is_heard_often_is_transposed_unless_the_user_decides(trainer):
    seldom, often = trainer("seldom", "train.iterations=10"), trainer("often", "train.iterations=1000")
    assert seldom.epochs < MANY_EPOCHS <= often.epochs == pytest.approx(100 * seldom.epochs)
    assert (seldom.varied.transpose, often.varied.transpose) == (0, SEMITONES)
    assert trainer("own keys", "train.iterations=1000", "augment.transpose=0").varied.transpose == 0
    assert trainer("as asked", "train.iterations=10", "augment.transpose=2").varied.transpose == 2


def test_a_resumed_run_keeps_to_what_was_decided(trainer):
    """With more iterations its music is heard often, but those that were taken took it in its own keys."""
    begun = trainer("begun", "train.iterations=2")
    train(begun.session)
    assert json.loads(begun.session.folder.facts_file.read_text())["transpose"] == 0
    again = type(begun)(begun.session)
    varied = again.dataset.augment
    again.resume()
    assert again.dataset.augment is varied, "what is decided alike is not decided, and warned of, twice"
    longer = begun.session.config.train.model_copy(update={"iterations": 1000})
    begun.session.config = begun.session.config.model_copy(update={"train": longer})
    gone_on = type(begun)(begun.session)
    assert gone_on.varied.transpose == SEMITONES
    gone_on.resume()
    assert gone_on.varied.transpose == 0
    assert not any(window.draws for window in gone_on.feed.windows(3))


def test_looks_take_music_as_it_is(trainer):
    """The bounds on training and on held-out music are compared: both are of music that nobody changed."""
    varied, plain = trainer("varied", "augment.transpose=5"), trainer("plain")
    for one, two in ((varied.trained_on, plain.trained_on), (varied.heldout, plain.heldout)):
        assert one
        assert varied.dataset.batch(one).ids.equal(plain.dataset.batch(two).ids)


def test_what_words_cannot_do_is_refused_before_music_is_read(trainer):
    with pytest.raises(UsageError, match=r"augment\.tempo=0\.1: .* count in beats"):
        trainer("stretched", "augment.tempo=0.1")
