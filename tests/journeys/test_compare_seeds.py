"""`diffmidi compare`: runs that differ by their seed alone, and which figure is the best of its row."""

import pytest

from .left import better, cells, figure, leave_draw, leave_seeds


def test_runs_that_differ_by_their_seed_alone_are_one_column(diffmidi, leave):
    runs = leave_seeds(leave, "low", [1.0, 2.0, 3.0])
    said = diffmidi("compare", *runs, leave("high", "train.lr=0.5", figures={"x": better(9, 8.5, 9.5)}))
    assert said.code == 0, said.err
    assert said.out.splitlines()[0].split() == ["low", "(n=3)", "high"]
    assert cells(said, "x: bits, bits per token (lower is better)") == ["2 ± 1 (n=3) *", "9 [8.5, 9.5]"]
    assert cells(said, "seed ") == ["0, 1, 2", "0"]
    assert cells(said, "parameters") == ["1,000", "1,000"], "what is alike has no spread"
    assert "low (n=3): low-0, low-1, low-2." in said.out
    assert "one standard deviation over n runs" in said.out


def test_the_same_seed_again_an_early_stop_and_another_sampler_are_runs_of_their_own(diffmidi, leave):
    one, two = leave("a-0", seed=0), leave("a-1", seed=1)
    again, stopped, other = leave("b", seed=0), leave("c", seed=2, facts={"iterations": 7}), leave("d", seed=3)
    leave_draw(one, "1", figures={}), leave_draw(two, "1", figures={}, seed=5)
    leave_draw(other, "1", figures={}, temperature=0.5)
    said = diffmidi("compare", one, two, again, stopped, other)
    assert said.code == 0, said.err
    assert said.out.splitlines()[0].split() == ["a", "(n=2)", "b", "c", "d"]


@pytest.mark.parametrize(
    ("one", "two", "marked"),
    [
        (better(1, 0.9, 1.1), better(2, 1.9, 2.1), "one"),
        (better(1, 0.9, 1.1, "higher"), better(2, 1.9, 2.1, "higher"), "two"),
        (better(1, 0.5, 1.95), better(2, 1.9, 2.5), None),
        (better(1, 0.9, 1.1, ""), better(2, 1.9, 2.1, ""), None),
        (figure(1, better="lower"), figure(2, better="lower"), None),
        (figure(1, better="lower", error=0.1), figure(2, better="lower", error=0.1), "one"),
        (better(1, 0.9, 1.1), None, None),
    ],
)
def test_the_best_of_a_row_is_marked_where_its_interval_is_apart_on_the_better_side(diffmidi, leave, one, two, marked):
    said = diffmidi("compare", leave("one", figures={"x": one}), leave("two", "train.lr=0.5", figures={"x": two}))
    transposed = diffmidi("compare", "one", "two", "--figure", "x", "--transpose").out.splitlines()
    assert [line.split()[0] for line in transposed if line.endswith("] *") or line.endswith("0.1 *")] == (
        [marked] if marked else []
    )
    assert ("* is the best" in said.out) == (marked is not None)


def test_nothing_is_the_best_among_what_does_not_compare(diffmidi, leave):
    low, high = {"x": better(1, 0.9, 1.1)}, {"x": better(2, 1.9, 2.1)}
    one = leave("one", figures=low)
    for other in (leave("music", figures=high, found=11), leave("tokens", figures=high, tokens="v")):
        assert "*" not in diffmidi("compare", one, other).out
    assert "*" in diffmidi("compare", one, leave("same", figures=high)).out


def test_two_runs_are_too_few_for_the_interval_of_their_mean(diffmidi, leave):
    runs = leave_seeds(leave, "low", [1.0, 1.1])
    said = diffmidi("compare", *runs, leave("high", "train.lr=0.5", figures={"x": better(9, 8.5, 9.5)}))
    assert cells(said, "x: bits, bits per token (lower is better)") == ["1.05 ± 0.071 (n=2)", "9 [8.5, 9.5]"]
