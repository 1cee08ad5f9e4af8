"""Numbers as people read them: three digits, whole thousands, whole seconds."""

import pytest

from diffmidi_core.numbers import clock_text, count_text, counted, figure_text, interval_text, percent_text, spread_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.001202, "0.0012"), (0.0012149, "0.00121"), (5.9999e-06, "6e-06"), (3.393, "3.39"), (0.0, "0")),
        *((999.4, "999"), (999.6, "1,000"), (12345.6, "12,346"), (-999.6, "-1,000"), (-0.5, "-0.5")),
    ],
)
def test_a_figure_has_three_digits(value, text):
    assert figure_text(value) == text


def test_a_spread_has_two_and_an_interval_three():
    assert spread_text(0.01234) == "± 0.012"
    assert interval_text((2.5761, 2.7089)) == "2.58 to 2.71"


def test_counts_are_exact_and_agree_with_their_noun():
    assert (count_text(1234567), counted(1, "piece"), counted(2000, "piece")) == (
        "1,234,567",
        "1 piece",
        "2,000 pieces",
    )


@pytest.mark.parametrize(("share", "text"), [(0.1234, "12 %"), (0.0011, "0.11 %"), (0, "0 %"), (1, "100 %")])
def test_a_share_is_a_percentage(share, text):
    assert percent_text(share) == text


@pytest.mark.parametrize(("seconds", "text"), [(9.4, "0:09"), (59.6, "1:00"), (248, "4:08"), (3750, "1:02:30")])
def test_time_is_a_clocks(seconds, text):
    assert clock_text(seconds) == text
