"""A metric that raises is named with its package and left out; the others go on."""

import pytest

from diffmidi_core.contracts.metric import Sample
from diffmidi_core.judge.metrics import Metrics
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.sections import Part

GOOD = "pitch_range"


@pytest.fixture
def items():
    return [Sample.of_music(toy_scores()[name]) for name in ("tune", "chords")]


def measured(names, items, warn):
    metrics = Metrics([Part(name=name) for name in names], warn)
    return metrics.measure(metrics.on("samples"), items, items)


@pytest.mark.parametrize(
    ("name", "when", "why"),
    [
        ("build", "being built", "no such table"),
        ("measure", "measuring", "KeyError: 'pitch'"),
        ("summarise", "measuring", "ZeroDivisionError: division by zero"),
        ("leaves", "measuring", "SystemExit: 3"),
        ("infinite", "measuring", "not all plain finite numbers"),
        ("number", "measuring", "AttributeError"),
        ("tensor", "measuring", "not all plain finite numbers"),
        ("homeless", "being built", "its subject is 'weather'"),
        ("tokens", "measuring", "TypeError"),
    ],
)
def test_whatever_a_metric_raises_it_is_named_and_the_others_go_on(failing, items, name, when, why):
    said = []
    found = measured([GOOD, name, "sound"], items, said.append)
    assert set(found.figures) == set(found.rows) == {GOOD, "sound"}
    assert found.figures["sound"]["count"] == 2
    (warning,) = said
    assert warning.startswith(f"metric '{name}' of acme-metrics 1.2 failed while {when}, and is left out (")
    assert why in warning


def test_ctrl_c_is_the_users_own(failing, items):
    with pytest.raises(KeyboardInterrupt):
        measured(["interrupted"], items, print)


def test_one_that_is_not_installed_any_more_is_left_out(items):
    said = []
    assert set(measured([GOOD, "gone"], items, said.append).figures) == {GOOD}
    assert said[0].startswith("metric 'gone' failed while being built, and is left out (no metric 'gone' is installed.")


def test_a_metric_that_failed_is_not_asked_again(failing, items):
    said = []
    metrics = Metrics([Part(name="measure"), Part(name=GOOD)], said.append)
    for _ in range(2):
        metrics.measure(metrics.on("samples"), items)
    assert metrics.on("samples") == [GOOD]
    assert len(said) == 1


def test_metrics_say_what_they_judge_and_whether_they_need_tokens():
    metrics = Metrics([Part(name=name) for name in ("bound_bpw", "grammar_faults", "seam", GOOD)], print)
    assert metrics.on("likelihood") == ["bound_bpw"]
    assert metrics.on("samples") == ["grammar_faults", "seam", GOOD]
    assert metrics.on("samples", tokens=False) == [GOOD]


def test_the_packages_of_the_metrics_are_named(failing):
    versions = Metrics([Part(name="sound"), Part(name=GOOD)], print).versions()
    assert versions["acme-metrics"] == "1.2"
    assert set(versions) == {"diffmidi", "acme-metrics"}
