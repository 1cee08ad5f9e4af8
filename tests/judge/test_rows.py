"""From rows to figures: several ratios of one metric, each by the names of what is above and below."""

import pytest

from diffmidi.api.metric import ABOVE, BELOW, ratio_figure

ROWS = [{"leaps": 3.0, "moves": 10.0, "ends": 1.0}, {"leaps": 1.0, "moves": 30.0}, {}]


def test_a_ratio_is_that_of_the_names_given_and_so_is_the_references():
    figure = ratio_figure(ROWS, "%", "samples", reference=ROWS[1:], scale=100, above="leaps", below="moves")
    assert (figure.value, figure.reference) == (pytest.approx(10), pytest.approx(100 / 30))
    assert (figure.count, figure.skipped) == (2, 1)
    renamed = [{ABOVE: row["leaps"], BELOW: row["moves"]} if row else {} for row in ROWS]
    assert figure == ratio_figure(renamed, "%", "samples", reference=renamed[1:], scale=100)


def test_rows_without_the_name_are_skipped_and_none_of_them_is_no_figure():
    figure = ratio_figure(ROWS, "", "samples", above="ends", below="moves")
    assert (figure.value, figure.count, figure.skipped) == (pytest.approx(0.1), 1, 2)
    assert ratio_figure(ROWS, "", "samples", above="ties", below="moves") is None
