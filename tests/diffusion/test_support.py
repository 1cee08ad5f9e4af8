"""Support of real tokenizers: no word of a window is excluded, what is drawn is legal, and no step loops or waits."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from diffmidi.api import RefusedError
from diffmidi.api.process import Support
from diffmidi.api.sampler import RowDraws
from diffmidi.api.source import read_midi
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import find

TOKENIZERS = [
    ("mmm", {"layout": "aligned"}),
    ("mmm", {"layout": "run"}),
    ("mmm", {"layout": "paper"}),
    ("remi", {}),
    ("remi", {"use_rests": True, "use_chords": True}),
    *(("miditok", {"type": kind}) for kind in ("REMI", "TSD", "MIDILike", "Structured")),
]
CLS, SEP, MASK = 1, 2, 3


@pytest.fixture(scope="module", params=TOKENIZERS, ids=str)
def tokenizer(request):
    name, options = request.param
    return find("tokenizer", name).build(options)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def windows(tokenizer, score, most):
    """Windows of at most `most` words, from a note boundary to a note boundary."""
    ids = tokenizer.encode(score)
    cuts = np.append(tokenizer.starts(ids), len(ids))
    for start in cuts[:-1][:: max(1, len(cuts) // 20)]:
        end = cuts[np.searchsorted(cuts, start + most, side="right") - 1]
        yield ids[start : end if end > start else start + most]


def framed(window):
    return torch.tensor([CLS, *window.tolist(), SEP])


def toy_windows(tokenizer, most=64):
    for score in toy_scores().values():
        try:
            yield from windows(tokenizer, score, most)
        except RefusedError:
            continue


def excluded(support, window):
    return int(support.excluded(framed(window)[None])[0, 1:-1].sum())


def test_no_word_of_a_window_is_excluded(tokenizer):
    support = Support(tokenizer.grammar, 66)
    assert sum(excluded(support, window) for window in toy_windows(tokenizer)) == 0
    assert sum(excluded(support, window) for window in toy_windows(tokenizer, most=7)) == 0  # cut inside a note


def test_no_word_of_real_music_is_excluded(tokenizer):
    folder = os.environ.get("DIFFMIDI_TEST_DATA")
    if not folder:
        pytest.skip("DIFFMIDI_TEST_DATA names no corpus")
    support, seen = Support(tokenizer.grammar, 130), 0
    files = sorted(Path(folder).rglob("corpus/**/*.mid"))
    for path in files[:: max(1, len(files) // 12)]:
        try:
            found = list(windows(tokenizer, read_midi(path), 128))
        except RefusedError:
            continue
        assert [excluded(support, window) for window in found] == [0] * len(found)
        seen += len(found)
    assert seen


def test_specials_are_allowed_nowhere(tokenizer):
    assert not Support(tokenizer.grammar, 30).allowed(30)[:, :4].any()


def test_an_aligned_position_admits_one_type():
    grammar = find("tokenizer", "mmm").build({"layout": "aligned"}).grammar
    allowed = Support(grammar, 50).allowed(50)
    kinds = [{grammar.types[kind] for kind in grammar.type_of[row.numpy()]} for row in allowed[1:]]
    assert kinds == [{name} for name, _ in zip(itertools.cycle(["shift", "pitch", "velocity", "duration"]), kinds)]


def canvas(tokenizer, window, kept):
    ids = framed(window)
    fixed = (ids < 4) | (torch.rand(len(ids), generator=generator(2)) < kept)
    return ids.where(fixed, MASK).expand(3, -1), fixed.expand(3, -1)


@pytest.mark.parametrize("kept", [0.0, 0.3])
def test_whatever_the_logits_no_text_has_a_fault_and_what_is_kept_stays(tokenizer, kept):
    support = Support(tokenizer.grammar, 66)
    window = max(toy_windows(tokenizer), key=len)
    ids, fixed = canvas(tokenizer, window, kept)
    for scale in (0, 3, 1e4):
        logits = scale * torch.randn(*ids.shape, len(tokenizer.vocab), generator=generator())
        for text in (support.draw(logits, ids, fixed, RowDraws.seeded(0, 3)), support.legal_argmax(logits, ids, fixed)):
            assert [tokenizer.faults(row.numpy()) for row in text] == [0, 0, 0]
            assert torch.equal(text[fixed], ids[fixed])
            assert (text[~fixed] >= 4).all()


def blank(rows, words):
    ids = torch.full((rows, words + 2), MASK)
    ids[:, 0], ids[:, -1] = CLS, SEP
    return ids, ids != MASK


def test_where_no_text_has_so_many_words_it_ends_anywhere_and_longest_says_how_many_do():
    tokenizer = find("tokenizer", "mmm").build({"layout": "paper"})
    ids, fixed = blank(1, 7)
    logits = torch.zeros(1, 9, len(tokenizer.vocab))
    text = Support(tokenizer.grammar, 9).draw(logits, ids, fixed, RowDraws.seeded(0, 1))
    assert tokenizer.faults(text[0].numpy()) == 1  # the note at the end is not whole
    assert [tokenizer.grammar.longest(most) for most in (2, 3, 7, 9)] == [2, 3, 6, 9]
    assert find("tokenizer", "mmm").build({"layout": "run"}).grammar.longest(50) == 50


def test_a_row_is_the_same_whatever_is_drawn_beside_it(tokenizer):
    support = Support(tokenizer.grammar, 26)
    ids, fixed = blank(3, 24)
    logits = torch.randn(3, 26, len(tokenizer.vocab), generator=generator())

    def streams(*seeds):
        return RowDraws([generator(seed) for seed in seeds])

    together = support.draw(logits, ids, fixed, streams(0, 1, 2))
    alone = support.draw(logits[[2, 1]], ids[:2], fixed[:2], streams(2, 1))
    assert torch.equal(alone, together[[2, 1]])


class Operations(TorchDispatchMode):
    """How many operations were done."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


def operations(work):
    with Operations() as seen:
        work()
    return seen.count


def test_no_loop_over_positions(tokenizer):
    """32 times as many positions take five rounds more; a loop would take thousands of operations more."""

    def taken(words):
        support, (ids, fixed) = Support(tokenizer.grammar, words + 2), blank(1, words)
        logits = torch.zeros(1, words + 2, len(tokenizer.vocab))
        return operations(lambda: support.draw(logits, ids, fixed, RowDraws.seeded(0, 1))), operations(
            lambda: support.legal_argmax(logits, ids, fixed)
        )

    for few, many in zip(taken(24), taken(24 * 32), strict=True):
        assert many - few < 5 * 60


def test_nothing_of_a_draw_is_waited_for(tokenizer):
    """On the device `meta`, where there are no numbers to wait for, whoever asks for one gets an error."""
    support = Support(tokenizer.grammar, 26).to("meta")
    ids, fixed = (each.to("meta") for each in blank(2, 24))
    logits = torch.zeros(2, 26, len(tokenizer.vocab), device="meta")
    for top_p in (1.0, 0.9):
        drawn = support.draw(logits, ids, fixed, RowDraws.seeded(0, 2), top_p=top_p, wanted=~fixed)
        assert (drawn.shape, drawn.device.type) == ((2, 26), "meta")
    assert support.legal_argmax(logits, ids, fixed).device.type == "meta"
