"""NextWord against the automaton read word by word, and against every text there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.tokenizer import Grammar
from diffmidi_core.diffusion.next_word import NextWord
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import toy_windows

# Words 4, 5 of type a, 6 of type b, 7 of type c. Two start states: a (b c)* from 0, (b c)* from 1; it may end in 1.
TABLE = np.array([[-1, 1, -1, -1], [-1, -1, 2, -1], [-1, -1, -1, 1]])
TYPES = np.array([0, 0, 0, 0, 1, 1, 2, 3])
GRAMMAR = Grammar(("special", "a", "b", "c"), TYPES, TABLE, start=(0, 1), final=(1,))
NOWHERE = 3


def read(grammar, state, ids):
    for word in ids:
        if word >= 4 and state >= 0:
            state = int(grammar.next_state[state, grammar.type_of[word]])
    return state if state >= 0 else len(grammar.next_state)


def legal(ids, grammar=GRAMMAR):
    return any(read(grammar, start, ids) in grammar.final for start in grammar.start)


@pytest.mark.parametrize("length", [1, 2, 5, 13])
def test_states_are_those_of_reading_word_by_word(length):
    ids = torch.randint(0, 8, (50, length), generator=torch.Generator().manual_seed(0))
    states = NextWord(GRAMMAR).states(ids)
    assert states.shape == (50, length + 1, 2)
    for row, found in zip(ids.tolist(), states.tolist(), strict=True):
        for place, at in enumerate(found):
            assert at == [read(GRAMMAR, start, row[:place]) for start in (0, 1)]


@pytest.mark.parametrize(("name", "options"), [("mmm", {}), ("mmm", {"layout": "run"}), ("remi", {})], ids=str)
def test_music_is_allowed_word_by_word_and_nothing_else_is(name, options):
    tokenizer = find("tokenizer", name).build(options)
    next_word, grammar = NextWord(tokenizer.grammar), tokenizer.grammar
    for window in toy_windows(tokenizer):
        states = next_word.states(torch.from_numpy(window.astype(np.int64))[None])[0]
        allowed = next_word.allowed(states)
        for place, word in enumerate(window):
            here = [read(grammar, start, window[:place]) for start in grammar.start]
            may = [any(grammar.next_state[state, kind] >= 0 for state in here) for kind in grammar.type_of]
            assert allowed[place].tolist() == [may[each] and each >= 4 for each in range(len(may))]
            assert allowed[place, word]


@pytest.mark.parametrize("length", [2, 3, 4])
def test_what_leads_on_is_what_some_legal_text_holds(length):
    texts = [text for text in itertools.product(range(4, 8), repeat=length) if legal(text)]
    next_word = NextWord(GRAMMAR)
    for place, word in itertools.product(range(length), range(4, 8)):
        holding = [text for text in texts if text[place] == word]
        ids = torch.full((1, length), 3)
        ids[0, place] = word
        fixed = ids != 3
        if not holding:
            continue
        ahead = next_word.ahead(ids, fixed)
        for text in holding:
            states = next_word.states(torch.tensor([text]))
            allowed = next_word.allowed(states[:, :-1], ahead[:, 1:])[0]
            for at in set(range(length)) - {place}:
                leads_on = {other[at] for other in holding if other[:at] == text[:at]}
                assert set(allowed[at].nonzero().flatten().tolist()) == leads_on


def test_where_no_text_of_that_length_ends_it_may_end_anywhere():
    one = Grammar(("special", "a", "b"), np.array([0, 0, 0, 0, 1, 2]), np.array([[-1, 1, -1], [-1, -1, 0]]))
    next_word = NextWord(one)
    ids, free = torch.full((1, 3), 3), torch.zeros(1, 3, dtype=torch.bool)
    assert next_word.allowed(torch.tensor([[0]]), next_word.ahead(ids, free)[:, 1]).tolist() == [
        [False] * 4 + [True, False]
    ]


def test_words_that_no_legal_text_holds_are_refused():
    ids = torch.tensor([[3, 4, 3]])  # `a` stands nowhere but at the beginning
    with pytest.raises(DiffmidiError, match="leaves no way"):
        NextWord(GRAMMAR).ahead(ids, ids != 3)
