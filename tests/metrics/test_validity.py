"""Grammar faults: values known by hand."""

import pytest

from diffmidi.api.metric import Sample


@pytest.fixture
def said(tokenizer):
    def say(words, **record):
        ids = tokenizer.to_ids(words.split())
        return Sample(ids, tokenizer.decode(ids), tokenizer, record=record)

    return say


def test_faults_are_summed_over_all_tokens(figure, said):
    good, bad = said("t0 p60 v5 d3 t1 p62 v5 d3"), said("t0 v5 p60 v5")  # v5 before p60; ends before its d
    assert figure("grammar_faults", [good]).value == 0
    found = figure("grammar_faults", [good, bad], [good])
    assert found.value == pytest.approx(100 * 2 / 12)
    assert (found.unit, found.count, found.reference) == ("% of tokens", 2, 0.0)


def test_no_tokens_no_figure(figure, said):
    assert figure("grammar_faults", [said("")]) is None


def test_changes_are_those_that_samples_say(figure, said):
    four, eight = "t0 p60 v5 d3", "t0 p60 v5 d3 t1 p62 v5 d3"
    samples = [said(four, grammar_changes=0), said(eight, grammar_changes=3), said(eight)]
    found = figure("grammar_changes", samples, [said(four)])
    assert found.value == pytest.approx(100 * 3 / 12)
    assert (found.count, found.skipped, found.reference) == (2, 1, None)
    assert figure("grammar_changes", [said(four)]) is None
