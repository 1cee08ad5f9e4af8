"""A part that cannot be built hurts only its own name, and is named (`test_nobody_disturbed` has the packages)."""

from __future__ import annotations

import sys

import pytest

from diffmidi_core.config import resolve
from diffmidi_core.errors import BrokenPluginError, DiffmidiError, UsageError
from diffmidi_core.registry import find

SCHEDULES = "diffmidi.schedules"
BLAME = "schedule 'power' of acme-midi 1.0 is broken: "
WORKING = """
from diffmidi.api.schedule import NoiseSchedule

class Part(NoiseSchedule):
    def alpha_bar(self, t):
        return (1 - t) ** self.options.power
"""


@pytest.fixture
def offer(install, good):
    """Installs acme-midi's schedule `power` from the text of its declaration, and of the module behind it."""

    def make(declaration: str | None = None, implementation: str | None = None, target: str = "acme:declared"):
        texts = {"acme": good("acme") if declaration is None else declaration}
        if implementation is not None:
            texts["acme_parts"] = implementation
        install("acme-midi", {SCHEDULES: {"power": target}}, **texts)
        return find("schedule", "power")

    return make


def test_a_working_one_builds(offer):
    power = offer(implementation=WORKING)
    assert power.problem() is None
    part = power.build({"power": 3})
    assert part.options.power == 3
    assert float(part.alpha_bar(0.5)) == 0.125


def test_a_missing_need_is_said_before_anything_is_imported(offer):
    declaration = (
        "from diffmidi.api import *\n"
        "declared = Declaration('x', 'acme_parts:Part', needs=('json', 'no_such_library', 'json.no_such_part'))"
    )
    power = offer(declaration, "raise RuntimeError('must not be imported')")
    message = BLAME + "it needs no_such_library, json.no_such_part, which are not installed."
    assert power.problem() == message
    with pytest.raises(BrokenPluginError, match="it needs no_such_library"):
        power.build()


def test_a_missing_implementation(offer):
    power = offer()
    assert power.problem() == BLAME + "its implementation acme_parts does not exist."
    with pytest.raises(BrokenPluginError, match=r"acme_parts:Part cannot be imported \(ModuleNotFoundError"):
        power.build()


@pytest.mark.parametrize(
    ("implementation", "why"),
    [
        ("class Part: pass", "acme_parts:Part is not a subclass of NoiseSchedule."),
        ("Part = 3", "acme_parts:Part is not a subclass of NoiseSchedule."),
        ("", "acme_parts:Part cannot be imported (AttributeError: module 'acme_parts' has no attribute 'Part')."),
        ("1 / 0", "acme_parts:Part cannot be imported (ZeroDivisionError: division by zero)."),
        (
            "from diffmidi.api.schedule import NoiseSchedule\nclass Part(NoiseSchedule): pass",
            "acme_parts:Part leaves out what a NoiseSchedule must have: alpha_bar.",
        ),
    ],
)
def test_an_implementation_that_does_not_keep_its_contract(offer, implementation, why):
    power = offer(implementation=implementation)
    assert power.problem() is None  # nothing of this shows before the class is imported
    with pytest.raises(BrokenPluginError) as error:
        power.build()
    assert str(error.value) == BLAME + why


def test_a_run_with_a_broken_part_is_refused_before_it_starts(offer):
    offer()
    with pytest.raises(BrokenPluginError, match="its implementation acme_parts does not exist"):
        resolve(flags={"schedule": "power"})


@pytest.mark.parametrize(("does", "raises"), [("self.no_such_thing", "AttributeError"), ("exit(3)", "SystemExit")])
def test_a_constructor_that_raises_is_blamed_on_its_package(offer, does, raises):
    power = offer(implementation=f"{WORKING}    def __init__(self, options):\n        {does}")
    with pytest.raises(BrokenPluginError, match=rf"schedule 'power' of acme-midi 1.0 cannot be built \({raises}"):
        power.build()


def test_what_a_constructor_says_to_the_user_comes_through(offer):
    raising = "    def __init__(self, options):\n        raise DiffmidiError('there is no such file.')"
    power = offer(implementation="from diffmidi.api import DiffmidiError\n" + WORKING + raising)
    with pytest.raises(DiffmidiError, match=r"^there is no such file\.$"):
        power.build()


def test_looking_for_an_implementation_imports_no_package_above_it(install):
    declaration = "from diffmidi.api import *\ndeclared = Declaration('x', 'acme_heavy.parts:Part')"
    site = install("acme-midi", {SCHEDULES: {"power": "acme_light:declared"}}, acme_light=declaration)
    (site / "acme_heavy").mkdir()
    (site / "acme_heavy" / "__init__.py").write_text("raise RuntimeError('imported')")
    (site / "acme_heavy" / "parts.py").write_text("")
    assert find("schedule", "power").problem() is None
    assert "acme_heavy" not in sys.modules


def test_broken_is_an_error_of_usage(offer):
    with pytest.raises(UsageError):
        offer("").load()
