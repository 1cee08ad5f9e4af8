"""Candidates chosen by a loss: against brute force over every text of a tiny vocabulary, by a uniform denoiser."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from diffmidi.api.sampler import RowDraws
from diffmidi_core.diffusion.choosing import Choosing, Remembered, log_odds
from diffmidi_core.draw.redrawing import redrawn

WORDS, LENGTH = 3, 3
TEXTS = list(itertools.product(range(WORDS), repeat=LENGTH))
NUMBER = {text: number for number, text in enumerate(TEXTS)}


def loss(text) -> float:
    """How often a word is followed by itself, and a little of the last one."""
    return float(sum(a == b for a, b in itertools.pairwise(text)) + 0.3 * text[-1])


LOSSES = torch.tensor([loss(text) for text in TEXTS], dtype=torch.float64)


def of_rows(ids: torch.Tensor) -> torch.Tensor:
    return torch.tensor([loss(row) for row in ids.tolist()])


def seen(rows) -> torch.Tensor:
    counts = np.bincount([NUMBER[tuple(row)] for row in rows], minlength=len(TEXTS))
    return torch.from_numpy(counts / counts.sum())


def far(one: torch.Tensor, other: torch.Tensor) -> float:
    """Total variation."""
    return float((one - other).abs().sum() / 2)


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_the_best_of_k_has_its_own_distribution(tries):
    rows = 20_000
    streams = [torch.Generator().manual_seed(row) for row in range(rows)]
    choosing = Choosing(streams, 0, of_rows, tries)
    blank = torch.zeros(rows, LENGTH, WORDS)
    found = choosing.chosen(lambda draws: draws.categorical(blank), lambda state: state)
    # P(w) = p(w) / p(loss is that of w) · (P(loss ≥ that)^k − P(loss > that)^k)
    p = torch.full((len(TEXTS),), 1 / len(TEXTS), dtype=torch.float64)
    at_least, more, same = (
        torch.stack([p[compare(LOSSES, one)].sum() for one in LOSSES])
        for compare in (torch.ge, torch.gt, torch.isclose)
    )
    assert far(seen(found.tolist()), p / same * (at_least**tries - more**tries)) < 0.02
    assert choosing.chose


@pytest.mark.parametrize("tolerance", [0.5, 2.0])
def test_passages_drawn_anew_come_to_the_tilted_distribution(tolerance):
    """Each proposal is a word of the text, uniform: the exact conditional of a uniform model."""

    def propose(text, number, random):
        place = int(random.integers(LENGTH))
        return [(*text[:place], int(random.integers(WORDS)), *text[place + 1 :]) for _ in range(3)]

    tilted = (-LOSSES / tolerance).softmax(-1)
    found = [
        redrawn((0, 0, 0), loss, propose, rounds=12, tolerance=tolerance, seed=0, piece=piece) for piece in range(3000)
    ]
    assert far(seen(found), tilted) < 0.05
    assert far(seen(found), torch.full_like(tilted, 1 / len(TEXTS))) > 0.05


def test_without_tolerance_nothing_gets_worse_and_perfection_ends_it():
    history, asked = [], []

    def propose(text, number, random):
        history.append(loss(text))
        asked.append(number)
        return [tuple(int(each) for each in random.integers(WORDS, size=LENGTH)) for _ in range(4)]

    text = redrawn((0, 0, 0), loss, propose, rounds=50, tolerance=0, seed=1, piece=0)
    assert history == sorted(history, reverse=True)
    assert loss(text) == 0
    assert len(asked) < 50


def test_a_row_is_chosen_by_its_own_loss_and_stream():
    def draw(rows):
        choosing = Choosing([torch.Generator().manual_seed(row) for row in rows], 0, of_rows, 4)
        blank = torch.zeros(len(rows), LENGTH, WORDS)
        return choosing.chosen(lambda draws: draws.categorical(blank), lambda state: state)

    assert torch.equal(draw(range(6))[4], draw([4])[0])


def test_plain_draws_propose_once_and_guess_nothing():
    found = RowDraws.seeded(0, 2).chosen(lambda draws: draws.uniform(torch.zeros(2, 3)), pytest.fail)
    assert torch.equal(found, RowDraws.seeded(0, 2).uniform(torch.zeros(2, 3)))


def test_the_first_of_the_least_losses_is_kept_without_tolerance():
    odds = log_odds(torch.tensor([[2.0, 1.0, 1.0], [0.0, 0.0, 3.0]]), 0.0)
    assert odds.softmax(-1).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_a_state_is_asked_about_once():
    asked = []
    denoise = Remembered(lambda z, m: asked.append(z) or z + m)
    one, other = torch.zeros(2), torch.zeros(2)
    for state in (one, one, other, one):
        assert torch.equal(denoise(state, 1), torch.ones(2))
    assert len(asked) == 3
