"""Canvas: what a sampler is given to fill."""

import torch

from diffmidi.api.sampler import Canvas


def test_rows_begin_with_the_words_that_are_given_and_are_as_long_as_is_asked():
    canvas = Canvas.begun([[7, 8], []], [5, 3], width=6)
    assert canvas.ids.tolist() == [[1, 7, 8, 0, 0, 0, 2, 0], [1, 0, 0, 0, 2, 0, 0, 0]]
    assert canvas.keep.sum(-1).tolist() == [7, 5]
    free = ~canvas.fixed
    assert free.sum(-1).tolist() == [3, 3]
    assert free[0, 3:6].all()
    assert free[1, 1:4].all()


def test_full_rows_need_no_mask():
    canvas = Canvas.begun([[7], [7, 8]], [4, 4])
    assert canvas.keep is None
    assert torch.equal(Canvas.begun([(), ()], [4, 4]).ids, Canvas.blank(2, 4).ids)
