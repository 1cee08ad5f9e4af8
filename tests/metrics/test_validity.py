"""Grammar faults: values known by hand."""

import pytest

from diffmidi_core.api import Sample


@pytest.fixture
def said(tokenizer):
    def say(words):
        ids = tokenizer.to_ids(words.split())
        return Sample(ids, tokenizer.decode(ids), tokenizer)

    return say


def test_faults_are_summed_over_all_words(figure, said):
    good, bad = said("t0 p60 v5 d3 t1 p62 v5 d3"), said("t0 v5 p60 v5")  # v5 before p60; ends before its d
    assert figure("grammar_faults", [good]).value == 0
    found = figure("grammar_faults", [good, bad], [good])
    assert found.value == pytest.approx(100 * 2 / 12)
    assert (found.unit, found.count, found.reference) == ("% of words", 2, 0.0)


def test_no_words_no_figure(figure, said):
    assert figure("grammar_faults", [said("")]) is None
