"""DIFFMIDI_PLUGINS: whose parts are looked at."""

from __future__ import annotations

import pytest

from diffmidi_core.errors import UsageError
from diffmidi_core.registry import find, offers, strange

SCHEDULES = "diffmidi.schedules"


@pytest.fixture
def two(install, good):
    """acme-midi's schedule `power` and zebra's `stripes`; zebra has a part of no kind, too."""
    install("acme-midi", {SCHEDULES: {"power": "acme:declared"}}, acme=good("acme"))
    install("zebra", {SCHEDULES: {"stripes": "zebra:declared"}, "diffmidi.scedules": {"x": "y"}}, zebra=good("zebra"))


def of_others() -> list[str]:
    return [offer.spelling for offer in offers("schedule") if offer.package != "diffmidi"]


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (None, ["acme-midi:power", "zebra:stripes"]),
        ("", ["acme-midi:power", "zebra:stripes"]),
        ("none", []),
        ("Acme_Midi", ["acme-midi:power"]),
        ("zebra, acme-midi", ["acme-midi:power", "zebra:stripes"]),
    ],
)
def test_it_names_the_packages_that_are_looked_at(two, monkeypatch, value, left):
    if value is not None:
        monkeypatch.setenv("DIFFMIDI_PLUGINS", value)
    assert of_others() == left
    assert find("schedule", "sqrt").package == "diffmidi"
    assert bool([each for each in strange() if each.startswith("zebra 1.0 offers x under")]) == (
        "zebra:stripes" in left
    )


def test_a_part_that_is_left_out_is_told_of(two, monkeypatch):
    monkeypatch.setenv("DIFFMIDI_PLUGINS", "zebra")
    with pytest.raises(UsageError) as error:
        find("schedule", "power")
    assert str(error.value).endswith("DIFFMIDI_PLUGINS=zebra leaves out acme-midi 1.0, which offers it.")


def test_a_name_of_no_package_is_told(two, monkeypatch):
    monkeypatch.setenv("DIFFMIDI_PLUGINS", "acme-mid")
    (told,) = strange()
    assert told == (
        "DIFFMIDI_PLUGINS names acme-mid, and no such package that offers parts is installed. Did you mean 'acme-midi'?"
    )


def test_a_process_goes_with_its_own_packages_part_where_several_have_the_name(install):
    from diffmidi_core.registry import going_with

    text = "from diffmidi.api import *\nfast = SamplerDeclaration('x', 'a:B')\n"
    made = "slow = ProcessDeclaration('x', 'a:B', goes_with={'sampler': 'fast', 'schedule': 'sqrt'})"
    both = {"diffmidi.samplers": {"fast": "acme:fast"}, "diffmidi.processes": {"slow": "acme:slow"}}
    install("acme-midi", both, acme=text + made)
    install("zebra", {"diffmidi.samplers": {"fast": "zebra:fast"}}, zebra=text)
    assert going_with("slow", ()) == {"sampler": "acme-midi:fast", "schedule": "sqrt"}
    assert going_with("slow", {"sampler"}) == {"schedule": "sqrt"}
