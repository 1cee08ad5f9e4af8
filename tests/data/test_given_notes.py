"""Training windows with notes that are kept: nothing is lost, and the rest is drawn beside it."""

import numpy as np
import pytest
import torch

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.data.given_notes import DRAWS, GivenNotes
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import find

BAND, ANY = 0.1, 0.9
"""Which notes are kept: those out of a band of pitches, or any."""


@pytest.fixture(scope="module")
def tokenizer():
    return find("tokenizer", "mmm").build({"layout": "cells"})


@pytest.fixture(scope="module")
def text(tokenizer):
    longest = max((tokenizer.encode(score) for _, score in toy_scores().items()), key=len)
    assert len(tokenizer.starts(longest)) > 3
    return longest


def batch_of(tokenizer, texts, length):
    ids = np.full((len(texts), length), tokenizer.pad_id, dtype=np.int64)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text) + 2] = [tokenizer.cls_id, *text, tokenizer.sep_id]
    tokens = torch.tensor([len(text) for text in texts])
    return Batch(torch.from_numpy(ids), torch.arange(length) < tokens[:, None] + 2, tokens)


def draws(share=0.0, where=0.0, size=0.999, which=BAND, low=0.3, high=0.7, around=0.9):
    return np.array([share, where, size, which, low, high, around])


@pytest.mark.parametrize("which", [BAND, ANY])
@pytest.mark.parametrize("around", [0.1, 0.9])
def test_no_note_is_lost_and_some_are_given(tokenizer, text, which, around):
    written, stands = GivenNotes(tokenizer, 0.5).parted(text, draws(which=which, around=around)[1:])
    assert 0 < stands.sum() < len(stands)
    heard = [tokenizer.decode(each) for each in (text, written)]
    assert heard[0].note_num() == heard[1].note_num()
    assert tokenizer.starts(written).size == tokenizer.starts(text).size


def test_what_is_kept_is_out_of_the_band(tokenizer, text):
    written, stands = GivenNotes(tokenizer, 0.5).parted(text, draws(low=0.25, high=0.75)[1:])
    pitch = np.array([name == "pitch" for name in tokenizer.grammar.types])[tokenizer.grammar.type_of[written]]
    free, kept = written[pitch & ~stands], written[pitch & stands]
    assert len(free)
    assert len(kept)
    assert not ((kept >= free.min()) & (kept <= free.max())).any()


def test_outside_of_the_run_everything_is_given_in_half_the_rows(tokenizer, text):
    starts = tokenizer.starts(text)
    kept = GivenNotes(tokenizer, 0.5)
    for around, given in ((0.1, True), (0.9, False)):
        written, stands = kept.parted(text, draws(size=0.0, around=around)[1:])
        second = tokenizer.starts(written)[1]
        assert len(starts) > 1
        assert (stands[second:] == given).all()


def test_a_row_stays_within_the_length_of_its_batch(tokenizer, text):
    batch = batch_of(tokenizer, [text, text], len(text) + 2)
    new = GivenNotes(tokenizer, 0.5).of(batch, np.stack([draws(), draws(share=0.9)]))
    assert new.ids.shape == batch.ids.shape
    assert new.tokens[0] <= batch.tokens[0]
    assert new.tokens[1] == batch.tokens[1]
    assert torch.equal(new.ids[1], batch.ids[1])
    assert not new.given[1].any()
    row = new.ids[0]
    count = int(new.tokens[0])
    assert row[0] == tokenizer.cls_id
    assert row[count + 1] == tokenizer.sep_id
    assert (row[count + 2 :] == 0).all()
    whole = row[1 : count + 1].numpy()
    assert np.array_equal(tokenizer.unfold(whole), whole)
    assert new.given[0].any()
    assert not new.given[0, [0, count + 1]].any()


def test_a_share_of_the_rows_is_written_so(tokenizer, text):
    kept = GivenNotes(tokenizer, 0.25)
    numbers = kept.draws(400, seed=1, step=2)
    assert numbers.shape == (400, DRAWS)
    assert np.array_equal(numbers, kept.draws(400, seed=1, step=2))
    batch = batch_of(tokenizer, [text] * 400, len(text) + 60)
    assert 60 < int(kept.of(batch, numbers).given.any(-1).sum()) < 130


@pytest.mark.parametrize("process", ["masked", "autoregressive"])
def test_what_is_given_costs_nothing(tokenizer, text, process):
    backbone = find("backbone", "modern").build({"size": "tiny"}, length=256)
    schedule = find("schedule", "loglinear").build()
    model = find("process", process).build(
        {"order": "bars"} if process == "masked" else {}, tokenizer=tokenizer, backbone=backbone, schedule=schedule
    )
    batch = GivenNotes(tokenizer, 0.5).of(batch_of(tokenizer, [text], len(text) + 60), draws()[None])
    bits = sum(model.eval().bound(batch, torch.Generator().manual_seed(0), levels=2).terms.values())
    assert not bits[batch.given].any()
    assert bits.sum() > 0
