"""Hooks: every listener is told, and one that fails is switched off and hurts nobody."""

import pytest

from diffmidi.api import hookimpl
from diffmidi_core.errors import BrokenPluginError
from diffmidi_core.hooks import Hooks


class Ear:
    def __init__(self):
        self.heard = []

    @hookimpl
    def scalars(self, step, values):
        self.heard.append((step, values))

    @hookimpl
    def warned(self, message):
        self.heard.append(message)


class Deaf:
    calls = 0

    @hookimpl
    def scalars(self, step):
        Deaf.calls += 1
        raise RuntimeError("no ears")


@pytest.mark.parametrize("order", [0, 1])
def test_a_listener_that_raises_is_named_switched_off_and_the_others_are_told(order):
    ear, Deaf.calls = Ear(), 0
    listeners = [("ear", ear), ("deaf", Deaf())]
    hooks = Hooks(listeners if order else listeners[::-1])
    hooks.emit("scalars", step=1, values={"loss": 2.0})
    hooks.emit("scalars", step=2, values={"loss": 1.0})
    assert [each for each in ear.heard if isinstance(each, tuple)] == [(1, {"loss": 2.0}), (2, {"loss": 1.0})]
    assert Deaf.calls == 1
    assert hooks.warnings == ["hook 'deaf' failed at scalars (RuntimeError: no ears); it is off from here on."]
    assert hooks.warnings[0] in ear.heard


def test_a_listener_for_an_argument_that_does_not_exist_is_refused_when_it_is_switched_on():
    class Wrong:
        @hookimpl
        def scalars(self, stepp):
            """Listens for a misspelt argument."""

    with pytest.raises(BrokenPluginError, match="hook 'wrong' is broken"):
        Hooks([("wrong", Wrong())])


def test_a_listener_for_an_event_that_does_not_exist_is_refused():
    class Wrong:
        @hookimpl
        def scalers(self, step):
            """Listens for a misspelt event."""

    with pytest.raises(BrokenPluginError, match="scalers"):
        Hooks([("wrong", Wrong())])


def test_silent_hooks_tell_nobody():
    ear = Ear()
    Hooks([("ear", ear)], silent=True).emit("scalars", step=1, values={})
    assert ear.heard == []


class Talker:
    def __init__(self, answer):
        self.answer = answer

    @hookimpl
    def report_sections(self, folder):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def ask(*listeners):
    hooks = Hooks(listeners)
    return hooks.emit("report_sections", folder="here", config={}, training=lambda: None), hooks.warnings


def test_answers_are_collected_by_name_in_the_order_of_the_listeners():
    answers, warnings = ask(("b", Talker([1])), ("quiet", Talker(None)), ("a", Talker([])), ("ear", Ear()))
    assert list(answers.items()) == [("b", [1]), ("a", [])]
    assert warnings == []


def test_a_listener_that_raises_has_no_answer_and_takes_none_away():
    answers, warnings = ask(("bad", Talker(RuntimeError("lost"))), ("good", Talker([2])))
    assert answers == {"good": [2]}
    assert warnings == ["hook 'bad' failed at report_sections (RuntimeError: lost); it is off from here on."]
