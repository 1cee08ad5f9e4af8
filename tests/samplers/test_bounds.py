"""What a canvas bounds: what follows a hole begins when it did, by every built-in sampler that sees it, untrained."""

import pytest
import torch

from diffmidi.api.sampler import Canvas, RowDraws, TimeBounds
from diffmidi_core.contracts.canvas import ANY, GIVEN
from diffmidi_core.contracts.time_bounds import UNBOUNDED
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import context_of, smallest


@pytest.mark.parametrize("layout", ["aligned", "run"])
@pytest.mark.parametrize("sampler", ["ancestral", "confidence", "remask", "ddpm", "dpmpp", "heun"])
def test_what_follows_a_hole_begins_when_it_did(sampler, layout):
    declared = find("tokenizer", "mmm")
    tokenizer = declared.build({**declared.load().tiny, "layout": layout})
    family = find("sampler", sampler).load().family
    process = smallest("process", family, **context_of("process") | {"tokenizer": tokenizer}).eval()
    text = [
        token for time, pitch in ((0, 60), (1, 62), (1, 64), (1, 65)) for token in (f"t{time}", f"p{pitch}", "v1", "d1")
    ]
    ids = torch.tensor([[1, *tokenizer.to_ids(text).tolist(), 2]]).repeat(3, 1)
    begin, behind = 5, 14  # between the first note and the pitch of the last one, 3 steps later
    allowed, bounds = torch.full_like(ids, GIVEN), torch.tensor([0, UNBOUNDED]).expand(*ids.shape, 2).clone()
    allowed[:, begin:behind] = ANY
    bounds[:, begin:behind] = torch.tensor([1, 2])
    bounds[:, behind] = 3
    canvas = Canvas(ids, allowed, None, bounds=TimeBounds.counted(bounds))
    draws = RowDraws.seeded(0, len(ids))
    found = find("sampler", sampler).build().sample(process, canvas, steps=6, draws=draws).ids
    assert torch.equal(found[canvas.fixed], ids[canvas.fixed])
    assert [tokenizer.faults(row.numpy()) for row in found] == [0] * len(found)
    assert not torch.equal(found, ids)
    passed = torch.from_numpy(tokenizer.steps_passed())[found]
    time = torch.from_numpy(tokenizer.grammar.type_of == tokenizer.grammar.types.index("shift"))[found]
    gone = passed.cumsum(-1)
    assert (gone[:, behind] == 3).all()
    inside = (gone[:, begin:behind] >= 1) & (gone[:, begin:behind] <= 2) | time[:, begin:behind]
    assert inside.all()
