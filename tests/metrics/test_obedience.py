"""obedience: the pieces that have the labels asked for, by hand."""

from dataclasses import replace

import pytest

from diffmidi_core.saved.draw import Outcome, PieceRecord


@pytest.fixture
def obeyed(sample):
    """A sample of which labels were asked, from (asked, obtained) by name; numbers are bins."""

    def make(**labels):
        outcomes = {
            name: Outcome(asked=str(asked), obtained=str(found), asked_bin=asked, obtained_bin=found)
            if isinstance(asked, int)
            else Outcome(asked=asked, obtained=found)
            for name, (asked, found) in labels.items()
        }
        piece = PieceRecord(number=1, notes=1, record={"seam_1": 4}, labels=outcomes, tokens=[])
        return replace(sample([(0, 1, 60)]), record=piece.told)

    return make


def test_shares_and_correlation_are_those_of_the_pieces(figure, obeyed):
    asked_found = [(1, 1), (2, 1), (4, 5), (5, 2)]
    found = figure("obedience", [obeyed(density=pair, key=("C", "C" if pair[0] < 4 else "D")) for pair in asked_found])
    values = {name: each.value for name, each in found.items()}
    assert values["density"] == 25
    assert values["density_near"] == 75
    assert values["density_correlation"] == pytest.approx(6 / 107.5**0.5)
    assert values["key"] == 50
    assert set(values) == {"density", "density_near", "density_correlation", "key"}
    assert found["key"].count == 4


def test_one_target_has_no_correlation(figure, obeyed):
    assert set(figure("obedience", [obeyed(density=(1, 2)), obeyed(density=(1, 1))])) == {"density", "density_near"}


def test_what_was_not_asked_or_cannot_be_measured_has_no_figure(figure, obeyed):
    assert figure("obedience", [obeyed(), obeyed(mood=("sad", None)), obeyed(key=(None, "D minor"))]) is None
