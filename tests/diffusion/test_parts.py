"""Masked diffusion in parts: bars in order, counts before notes; nothing of what comes later may be seen."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.diffusion.groups import grouped
from diffmidi_core.diffusion.parts import GIVEN, chosen_bars, seen_twice
from diffmidi_core.registry import find
from tests.plan import NOTE, TOKENIZER, TYPES, WORDS, all_windows, batch_of, text

WINDOWS = [
    "bar3 q1 left c1 t1 p0 v d1 and q= right c2 t0 p0 v d1 t2 p1 v d2 "
    "bar2 q2 left c0 and q= right c1 t1 p1 v d1 bar3 q2 left c1 t0 p1 v d1 and q= right c0",
    "bar2 q1 left c0 and q= right c0 bar2 q2 left c0 and q= right c1 t0 p0 v d2",
    "bar2 q1 right c2 t0 p1 v d1 t1 p0 v d1",
]
BATCH = batch_of([text(each) for each in WINDOWS])
SAMPLERS = ["ancestral", "confidence", "remask"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def made(order="bars", *, given=0.0, seed=0, process="masked", tokenizer=TOKENIZER, **options):
    """A small process whose answers depend much on what it sees."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = {"width": 32, "layers": 2, "heads": 2, "feed_forward": 64, "dropout": 0, "attention_dropout": 0}
        built = find("process", process).build(
            {"order": order, "given": given, "neighbours": 2, "init_std": 1.0, **options},
            tokenizer=tokenizer,
            backbone=find("backbone", "bert").build(sizes, length=200),
            schedule=find("schedule", "loglinear").build(),
        )
        with torch.no_grad():
            built.tokens.matrix.mul_(20)
    return built.eval()


@pytest.fixture(params=["bars", "none"])
def process(request):
    return made(request.param)


def laid(process, batch):
    return process.plan.laid(torch.from_numpy(TOKENIZER.grammar.type_of)[batch.ids], batch.attention_mask)


def test_parts_bars_cells_and_ranks():
    found = laid(made("bars"), BATCH)
    assert found.part[0].tolist() == [0, 1, 0, 1, 1, 2, 2, 3, 4, 5, 4]
    assert found.stand.bar[0].tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert found.stand.cell[0].tolist() == [0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 1]
    assert found.stand.rank[0].tolist() == [0, 1, 0, 1, 2, 0, 0, 1, 0, 1, 0]
    assert found.real.sum(-1).tolist() == [11, 5, 3]
    assert laid(made("none"), BATCH).part[0].tolist() == [0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0]
    words = TOKENIZER.to_tokens(BATCH.ids[0, 1:-1].numpy())
    drawn = [word for word, is_drawn in zip(words, found.drawn[0].flatten().tolist(), strict=True) if is_drawn]
    assert [word for word in words if word not in drawn] == [
        w for w in words if w in ("and", "q=", "left", "right", "v")
    ]


def test_one_copy_gives_what_two_copies_gave_in_training(process):
    """What is drawn part by part comes from the distributions that the bound is the sum of."""
    whole = laid(process, BATCH)
    row, types = 0, whole.types
    for part in sorted(set(whole.part[row][whole.real[row]].tolist())):
        groups = whole.real[row] & (whole.part[row] <= part)
        ids = BATCH.ids[row, 1:-1].view(-1, 4)
        hidden = whole.drawn[row] & (whole.part[row] == part)[:, None] & (torch.arange(4) != 1)
        z = ids.masked_fill(hidden, 3)[groups].flatten()
        one = torch.tensor([[1, *z.tolist(), 2]])
        places = replace(
            process.placed(Canvas.of(one, one != 3)),
            types=torch.nn.functional.pad(types[row][groups].flatten()[None], (1, 1)),
        )
        alone = process.denoise(one, torch.ones(1), places)[0, 1:-1].view(int(groups.sum()), 4, -1)
        both = answers(process, _first(BATCH), hidden[None])[0]
        at = (whole.part[row] == part) & whole.real[row]
        torch.testing.assert_close(both[at], alone[at[groups]], rtol=1e-4, atol=1e-4)


def answers(process, batch, hidden):
    """What the network answers about the noisy copies, where tokens [B, P, g] are hidden."""
    found = laid(process, batch)
    clean = grouped(batch.ids, 4)
    noisy = clean.masked_fill(hidden, TOKENIZER.mask_id)
    with torch.no_grad():
        return process.network(seen_twice(found, noisy, clean, torch.ones(found.part.shape), 200)[0])


def _first(batch):
    return replace(batch, ids=batch.ids[:1], attention_mask=batch.attention_mask[:1], tokens=batch.tokens[:1])


def bits_of(process, ids):
    batch = batch_of([ids])
    with torch.no_grad():
        return process.bound(batch, generator(), levels=3).terms["diffusion"][0, 1:-1].view(-1, 4)


@pytest.mark.parametrize("order", ["bars", "none"])
def test_nothing_of_a_part_is_seen_from_its_counts_or_from_parts_before(order):
    process = made(order)
    ids = text(WINDOWS[0])
    part = laid(process, _first(BATCH)).part[0]
    before, types = bits_of(process, ids), TOKENIZER.grammar.type_of
    changed = 0
    for place, token in enumerate(ids):
        others = [t for t in np.flatnonzero(types == types[token]) if t != token and TYPES[types[t]] != "count"]
        for other in others[:1]:
            found = bits_of(process, [*ids[:place], other, *ids[place + 1 :]])
            earlier = part < part[place // 4]
            torch.testing.assert_close(found[earlier], before[earlier], rtol=1e-5, atol=1e-5)
            changed += not torch.allclose(found[part > part[place // 4]], before[part > part[place // 4]], atol=1e-3)
    assert changed > 5  # the test can fail


def test_how_many_notes_there_are_is_not_seen_from_the_heads():
    """Counts are paid for before the layout that they make is known: other notes, other lengths, the same bits."""
    process = made("bars")
    less = "bar3 q1 left c1 t1 p0 v d1 and q= right c1 t0 p0 v d1 bar2 q2 left c0 and q= right c0"
    heads = [
        index
        for index, group in enumerate(text(WINDOWS[0]).reshape(-1, 4))
        if TOKENIZER.vocab[group[0]][:3] in ("bar", "and")
    ]
    asked = []
    for words in (WINDOWS[0], less):
        batch = batch_of([text(words)])
        found = laid(process, batch)
        hidden = found.drawn & (found.part == 0)[..., None]
        asked.append(answers(process, batch, hidden))
    assert heads[:2] == [0, 2]
    torch.testing.assert_close(asked[0][0, [0, 2]], asked[1][0, [0, 2]], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("order", ["bars", "none"])
def test_what_all_windows_of_a_shape_cost_is_no_more_than_they_may(order):
    """Kraft: the bounds of all windows, as probabilities, sum to at most 1, and to not much less where it is tight."""
    process = made(order)
    windows = all_windows()
    copies = 24
    with torch.no_grad():
        bits = torch.stack([_bits(process, windows, seed) for seed in range(copies)]).mean(0)
    mass = float((2 ** -bits.double()).sum())
    assert mass < 1.02
    process.network = lambda seen: torch.zeros(*seen.ids[:, : seen.asked].shape, len(TOKENIZER.vocab))
    even = _bits(process, windows, 0)
    # Where the network always answers alike, only what does not fit into bars is missing: t1 t2 and the like.
    expected = [
        sum(math.log2(len(WORDS[TYPES[t]])) for t in TOKENIZER.grammar.type_of[ids] if TYPES[t] != "track")
        for ids in windows
    ]
    several = torch.stack([_bits(process, windows, seed) for seed in range(copies)]).mean(0)
    torch.testing.assert_close(several.mean(), torch.tensor(expected).mean(), rtol=0.02, atol=0)
    assert even.shape == (len(windows),)


def _bits(process, windows, seed):
    return process.bound(batch_of(windows), generator(seed), levels=None).bits


def test_the_loss_has_the_bound_as_its_mean():
    process = made("bars")
    rows = 4000
    batch = batch_of([text(WINDOWS[0])] * rows)
    with torch.no_grad():
        loss = float(process.loss(batch, generator())["loss"])
        bound = process.bound(batch, generator(1), levels=4)
    expected = float(bound.bits.mean()) * math.log(2) / int(batch.tokens[0])
    assert loss == pytest.approx(expected, rel=0.05)


def test_a_step_with_given_bars_may_be_cut():
    process = made("bars", given=0.5)
    batch = batch_of([text(each) for each in WINDOWS * 4])
    whole = process.loss(batch, generator())
    parts = [process.loss(part, generator()) for part in batch.cut([5, 7])]
    for name, value in whole.items():
        torch.testing.assert_close((parts[0][name] + parts[1][name]) / 2, value, rtol=1e-4, atol=1e-5)
    assert float(whole["loss_given"].detach()) > 0


def test_given_bars_cost_nothing_and_are_seen_from_before_them():
    process = made("bars")
    ids = text(WINDOWS[0])
    given = torch.zeros(1, len(ids) + 2, dtype=torch.bool)
    given[0, 1 + 8 * 4 : -1] = True  # the third bar

    def bits(words):
        with torch.no_grad():
            batch = replace(batch_of([words]), given=given)
            return process.bound(batch, generator(), levels=3).terms["diffusion"][0, 1:-1].view(-1, 4)

    other = bits([*ids[:-7], TOKENIZER.to_ids(["p0"])[0], *ids[-6:]]) if TOKENIZER.vocab[ids[-7]] == "p1" else None
    found = bits(ids)
    assert other is not None
    assert not found[8:].any()
    assert not torch.allclose(found[:8], other[:8], atol=1e-3)


def test_what_training_gives_is_a_run_of_bars_or_a_track_and_never_all():
    found = laid(made("bars"), BATCH)
    draws = torch.rand(200, 3, 3, generator=generator())
    shares = []
    for each in draws:
        given = chosen_bars(found, each)
        assert not (given & ~found.real).any()
        assert (given.sum(-1) < found.real.sum(-1)).all()
        assert not given[2].any()
        bars = [set(found.stand.bar[0][given[0] & (found.stand.cell[0] == cell)].tolist()) for cell in (0, 1)]
        assert bars[0] == bars[1] or set() in bars
        assert all(b - a == 1 for a, b in pairwise(sorted(bars[0] | bars[1])))
        shares.append(int(given[0].sum()))
    assert len(set(shares)) > 3


def test_around_a_hole_what_stands_is_given_and_what_comes_before_is_not():
    process = made("bars")
    ids = BATCH.ids[:1].clone()
    fixed = torch.ones_like(ids, dtype=torch.bool)
    fixed[0, 1 + 5 * 4 + 3] = False  # the count of a cell of the second bar
    canvas = replace(Canvas.of(ids, fixed), types=torch.from_numpy(TOKENIZER.grammar.type_of)[ids])
    given = process.placed(canvas).given[0, 1:-1].view(-1, 4).all(-1)
    assert given.tolist() == [False] * 5 + [False, True, True, True, True, True]
    placed = process.plan.laid(canvas.types, None, process.placed(canvas).given)
    assert (placed.part[0][given] == GIVEN).all()


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 3, 12])
def test_no_sampler_lets_time_run_out_of_its_bar(process, name, steps):
    """Whatever the network answers: of two notes of a bar of two steps, one at most is a step after what is before."""
    words = "bar2 q1 left c2 ? ? v ? ? ? v ? and q= right c2 ? ? v ? ? ? v ?"
    rows = 60
    canvas = batch_of([text(words)] * rows).ids
    canvas = Canvas.of(canvas, canvas != 3)
    found = find("sampler", name).build().sample(process, canvas, steps=steps, draws=RowDraws.seeded(0, rows)).ids
    passed = torch.from_numpy(TOKENIZER.steps_passed())[found][:, 1:-1].view(rows, 2, 3, 4).sum((-1, -2))
    assert passed.max() == 1
    assert passed.min() == 0
    kinds = TOKENIZER.grammar.type_of[found[0, 1:-1].numpy()].reshape(-1, 4)[[1, 2, 4, 5]]
    assert [[TYPES[kind] for kind in row] for row in kinds] == [NOTE] * 4


def test_times_are_drawn_from_the_product_given_that_they_fit():
    process = made("bars")
    odds = torch.zeros(len(TOKENIZER.vocab))
    odds[TOKENIZER.to_ids(["t0", "t1", "t2"])] = torch.tensor([0.1, 0.3, 0.6]).log()
    rows = 4000
    ids = batch_of([text("bar3 q1 left c2 ? p0 v d1 ? p0 v d1")] * rows).ids
    canvas = Canvas.of(ids, ids != 3)
    logits = odds.expand(*ids.shape, -1)
    tokens, _ = process.draw(logits, ids, RowDraws.seeded(1, rows), wanted=ids == 3, places=process.placed(canvas))
    times = torch.from_numpy(TOKENIZER.steps_passed())[tokens][:, [5, 9]]
    p = {0: 0.1, 1: 0.3, 2: 0.6}
    possible = {(a, b): p[a] * p[b] for a in p for b in p if a + b < 3}
    for (a, b), weight in possible.items():
        share = float(((times[:, 0] == a) & (times[:, 1] == b)).float().mean())
        assert share == pytest.approx(weight / sum(possible.values()), abs=0.03)


def test_times_that_stand_are_counted_and_what_cannot_fit_is_refused():
    process = made("bars")
    ids = batch_of([text("bar3 q1 left c2 ? p0 v d1 t2 p0 v d1")] * 50).ids
    logits = torch.zeros(*ids.shape, len(TOKENIZER.vocab))
    draws = RowDraws.seeded(1, 50)
    tokens, _ = process.draw(logits, ids, draws, wanted=ids == 3, places=process.placed(Canvas.of(ids, ids != 3)))
    assert (tokens[:, 5] == TOKENIZER.to_ids(["t0"])[0]).all()
    admitted = torch.ones(logits.shape, dtype=torch.bool)
    admitted[..., TOKENIZER.to_ids(["t0"])[0]] = False
    with pytest.raises(DiffmidiError, match="within their bar"):
        process.draw(
            logits, ids, draws, wanted=ids == 3, admitted=admitted, places=process.placed(Canvas.of(ids, ids != 3))
        )


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_oracle_gives_a_window_back_part_by_part(process, name):
    ids = BATCH.ids[:1]
    whole = laid(process, _first(BATCH))
    tokens = whole.drawn & (whole.part == whole.part.max())[..., None]
    free = torch.nn.functional.pad(tokens.flatten(1), (1, 1))
    canvas = replace(Canvas.of(ids.masked_fill(free, 3), ~free), types=torch.from_numpy(TOKENIZER.grammar.type_of)[ids])
    found = (
        find("sampler", name)
        .build()
        .sample(process, canvas, steps=3, draws=RowDraws.seeded(0, 1), denoise=process.oracle(ids))
    )
    assert torch.equal(found.ids, ids)


def test_a_row_is_the_same_beside_one_with_more_notes():
    """Also where its times are drawn jointly, as they often do not fit when each is drawn by itself."""
    process = made("bars")
    few, many = (
        "bar2 q1 left c1 ? ? v ? and q= right c1 ? ? v ?",
        "bar2 q1 left c2 ? ? v ? ? ? v ? and q= right c2 ? ? v ? ? ? v ?",
    )
    late = torch.zeros(len(TOKENIZER.vocab))
    late[TOKENIZER.to_ids(["t0"])] = -5.0
    sampler = find("sampler", "confidence").build()

    def drawn(texts):
        batch = batch_of([text(each) for each in texts])
        canvas = Canvas.of(batch.ids, batch.ids != 3, batch.attention_mask)
        draws = RowDraws([torch.Generator().manual_seed(number) for number in range(len(texts))], 40)
        odds = lambda z, *_: late.expand(*z.shape, -1)  # noqa: E731
        return sampler.sample(process, canvas, steps=4, draws=draws, denoise=odds).ids[0]

    alone = drawn([few])
    assert torch.equal(drawn([few, many])[: len(alone) - 1], alone[:-1])


def test_what_leaves_a_place_no_token_is_refused():
    process = made("bars")
    ids = batch_of([text("bar3 q1 left c1 t0 ? v d1")]).ids
    admitted = torch.ones(*ids.shape, len(TOKENIZER.vocab), dtype=torch.bool)
    admitted[..., TOKENIZER.to_ids(["p0", "p1"])] = False
    with pytest.raises(DiffmidiError, match="no token that can stand there"):
        process.draw(
            torch.zeros(admitted.shape),
            ids,
            RowDraws.seeded(0, 1),
            wanted=ids == 3,
            admitted=admitted,
            places=process.placed(Canvas.of(ids, ids != 3)),
        )
