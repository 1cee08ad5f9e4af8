"""Remembering what stands behind the part that is drawn: the answers are those of a pass over everything."""

from __future__ import annotations

import pytest
import torch

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.diffusion.remembering import Remembering
from diffmidi_core.registry import find
from tests.plan import TOKENIZER, batch_of, text

ROWS = [
    "bar3 q1 left c1 t1 p0 v d1 and q= right c2 t0 p0 v d1 t2 p1 v d2 bar2 q2 left c1 t0 p1 v d1 and q= right c2 "
    "t0 p0 v d1 t1 p1 v d1",
    "bar2 q1 left c2 t0 p1 v d1 t0 p0 v d1 and q= right c1 t0 p1 v d2 bar2 q2 left c1 t0 p1 v d1 and q= right c1 "
    "t1 p0 v d1",
    "bar2 q1 left c0 and q= right c1 t0 p1 v d1 bar2 q2 left c1 t1 p0 v d1 and q= right c1 t0 p1 v d2",
]
BATCH = batch_of([text(each) for each in ROWS])


def made(order="bars", backbone="modern", **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"width": 32, "layers": 2, "heads": 2, "feed_forward": 64, "dropout": 0, "attention_dropout": 0}
        process = find("process", "masked").build(
            {"order": order, "neighbours": 2, "init_std": 1.0, **options},
            tokenizer=TOKENIZER,
            backbone=find("backbone", backbone).build(sizes, length=200),
            schedule=find("schedule", "loglinear").build(),
        )
        with torch.no_grad():
            process.tokens.matrix.mul_(20)
    return process.eval()


def last_notes():
    """[B, L] bool, the notes of the second bar, which alone are free."""
    of = TOKENIZER.grammar.type_of[BATCH.ids]
    bars = torch.from_numpy(of == TOKENIZER.grammar.types.index("bar")).cumsum(-1)
    notes = {TOKENIZER.grammar.types.index(name) for name in ("time", "pitch", "duration")}
    return (bars == 2) & torch.from_numpy(sum(of == each for each in notes) > 0)


def canvas_of(free):
    return Canvas.of(BATCH.ids, ~free, BATCH.attention_mask)


@pytest.mark.parametrize("options", [{}, {"time": True, "time_width": 8}, {"neighbours": 0}], ids=str)
@pytest.mark.parametrize("order", ["bars", "none"])
def test_the_answers_are_those_of_a_pass_over_everything(order, options):
    process, free = made(order, **options), last_notes()
    places = process.placed(canvas_of(free))
    own = process.denoiser()
    assert isinstance(own, Remembering)
    z = BATCH.ids.masked_fill(free, TOKENIZER.mask_id)
    for rows in ([True, True, True], [True, False, True], [False, True, False]):
        rows = torch.tensor(rows)
        with torch.no_grad():
            found = own.of_rows(rows, z, process.hidden_now(z), places)
            expected = process.denoise(z[rows], process.hidden_now(z)[rows], places.rows(rows))
            hidden = (z == TOKENIZER.mask_id) & rows[:, None]
            alone = own.of_masked(rows, hidden, z, places)
        masked = hidden[rows]
        torch.testing.assert_close(found[masked], expected[masked], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(alone, expected[masked], rtol=1e-4, atol=1e-4)
        # The next step: some are said.
        z = torch.where(free & (torch.arange(z.shape[1]) % 3 == 0), BATCH.ids, z)


def test_what_stands_is_read_once_and_after_that_only_the_bar():
    process, free = made(), last_notes()
    sizes = []
    cached = process.backbone.cached
    process.backbone.cached = lambda hidden, *more: sizes.append(hidden.shape[1]) or cached(hidden, *more)
    find("sampler", "confidence").build().draw(
        process, canvas_of(free), 4, RowDraws.seeded(0, len(ROWS)), None, lambda *_: None
    )
    behind, *steps = sizes
    whole = int(BATCH.tokens.max()) // TOKENIZER.group
    assert len(steps) == 4
    assert behind + steps[0] <= whole + 1
    assert max(steps) < behind


def test_another_canvas_is_read_anew():
    process, free = made(), last_notes()
    own = process.denoiser()
    z = BATCH.ids.masked_fill(free, TOKENIZER.mask_id)
    level = process.hidden_now(z)
    with torch.no_grad():
        first = own(z, level, process.placed(canvas_of(free)))
        other = Canvas.of(BATCH.ids.flip(0), ~free.flip(0), BATCH.attention_mask.flip(0))
        second = own(z.flip(0), level.flip(0), process.placed(other))
    torch.testing.assert_close(second[free.flip(0)], first.flip(0)[free.flip(0)], rtol=1e-4, atol=1e-4)


def test_a_backbone_without_a_cached_forward_is_asked_about_everything():
    process = made(backbone="bert")
    assert not isinstance(process.denoiser(), Remembering)
