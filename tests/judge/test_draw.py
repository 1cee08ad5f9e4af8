"""Judging a draw: its own pieces and no others, beside music of their length."""

import pytest

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.judge.draw import judge_draw

from .conftest import change_pieces, written


def test_figures_lie_in_the_draw_and_say_what_was_asked(hooks, draw, model, reference, judging):
    found = judge_draw(hooks, draw, model.tokenizer, reference, judging("bound_bpw", "grammar_faults", "originality"))
    assert written(draw.figures_file) == found
    assert found["request"] == draw.request().model_dump(mode="json")
    assert (found["request"]["model"]["step"], found["request"]["request"]["seed"]) == (400, 7)
    assert set(found["figures"]) == {
        "grammar_faults",
        "originality/match",
        "originality/percentile",
        "originality/copied",
    }
    assert found["figures"]["grammar_faults"]["reference"] == 0
    assert found["windows"] == 6
    assert set(found["pieces"]) == {"001", "002", "003"}
    assert found["pieces"]["001"]["grammar_faults"] == {"above": 0, "below": 32}


def test_only_the_pieces_of_the_draw_are_measured(hooks, draw, model, reference, judging):
    (draw.path / ".writing-x.txt").write_text("t0 p60 v5 d3\n")
    (draw.path / "stray.txt").write_text("t0 p60 v5 d3\n")
    found = judge_draw(hooks, draw, model.tokenizer, reference, judging("grammar_faults"))
    assert found["figures"]["grammar_faults"]["count"] == 3


def test_records_of_the_pieces_reach_the_metrics(hooks, draw, model, reference, judging):
    found = judge_draw(hooks, draw, model.tokenizer, reference, judging("grammar_changes"))
    assert found["figures"]["grammar_changes"]["value"] == pytest.approx(100 * (1 + 2 + 3) / (3 * 32))


def test_without_other_music_at_hand_figures_stand_alone(hooks, draw, model, judging):
    found = judge_draw(hooks, draw, model.tokenizer, None, judging("pitch_range", "originality"))
    assert found["figures"]["pitch_range"]["reference"] is None
    assert found["figures"]["originality"] is None


def test_music_shorter_than_the_pieces_is_no_comparison(hooks, draw, model, reference, judging, ears):
    change_pieces(draw, lambda tokens: tokens * 20)
    found = judge_draw(hooks, draw, model.tokenizer, reference, judging("pitch_range"))
    assert found["figures"]["pitch_range"]["reference"] is None
    assert any("is as long as those drawn (640 tokens)" in said for said in ears.warnings)


def test_music_is_cut_to_the_length_of_the_pieces(hooks, draw, model, reference, judging):
    change_pieces(draw, lambda tokens: tokens[:16])
    found = judge_draw(hooks, draw, model.tokenizer, reference, judging("pitch_range", windows=1000))
    pieces = reference.dataset.test_pieces
    total = sum(len(reference.dataset.piece(piece)) for piece in pieces)
    assert found["windows"] == total // 16


def test_an_empty_draw_is_said(hooks, draw, model, reference, judging):
    draw.record_file.unlink()
    with pytest.raises(DiffmidiError, match=r"there is no piece in .*1: its drawing was stopped"):
        judge_draw(hooks, draw, model.tokenizer, reference, judging("pitch_range"))
