"""Finding parts by name, whatever else is installed."""

from __future__ import annotations

import pytest

from diffmidi_core.errors import UsageError
from diffmidi_core.kinds import KINDS
from diffmidi_core.registry import find, offers

SCHEDULES = "diffmidi.schedules"


def test_an_unknown_name_is_told_the_nearest_and_all_there_are():
    with pytest.raises(UsageError) as error:
        find("schedule", "sqr")
    assert str(error.value) == (
        "no schedule 'sqr' is installed. Did you mean 'sqrt'? Installed: cosine, linear, loglinear, sqrt."
    )
    assert error.value.exit_code == 2


def test_a_name_unlike_any_gets_no_suggestion():
    with pytest.raises(UsageError, match=r"^no schedule 'zzz' is installed\. Installed: "):
        find("schedule", "zzz")


def test_an_unknown_kind_is_told_the_kinds():
    with pytest.raises(UsageError, match=r"there is no kind 'shedule'\. Did you mean 'schedule'\? Kinds: tokenizer, "):
        offers("shedule")


def test_a_third_partys_part_is_found_by_its_bare_name(install, good):
    install("acme-midi", {SCHEDULES: {"power": "acme:declared"}}, acme=good("acme"))
    offer = find("schedule", "power")
    assert (offer.package, offer.version, offer.spelling) == ("acme-midi", "1.0", "acme-midi:power")
    assert offer == find("schedule", "acme-midi:power")
    assert [each.name for each in offers("schedule")] == ["cosine", "linear", "loglinear", "sqrt", "power"]


def test_a_mistyped_third_party_name_is_suggested_too(install, good):
    install("acme-midi", {SCHEDULES: {"power": "acme:declared"}}, acme=good("acme"))
    with pytest.raises(UsageError, match="Did you mean 'power'"):
        find("schedule", "pwoer")
    with pytest.raises(UsageError, match="Did you mean 'acme-midi:power'"):
        find("schedule", "acme-mid:power")


@pytest.mark.parametrize("spelled", ["acme-midi", "acme_midi", "Acme.MIDI"])
def test_a_package_is_found_however_its_name_is_spelled(install, good, spelled):
    install("acme_midi", {SCHEDULES: {"power": "acme:declared"}}, acme=good("acme"))
    assert find("schedule", f"{spelled}:power").package == "acme_midi"


def test_two_third_parties_with_one_name_are_both_named(install, good):
    install("acme-midi", {SCHEDULES: {"power": "acme:declared"}}, acme=good("acme"))
    install("zebra", {SCHEDULES: {"power": "zebra:declared"}}, version="2.3", zebra=good("zebra"))
    with pytest.raises(UsageError) as error:
        find("schedule", "power")
    assert str(error.value) == (
        "schedule 'power' is offered by acme-midi 1.0 and zebra 2.3. Choose one: acme-midi:power or zebra:power."
    )
    assert find("schedule", "zebra:power").target == "zebra:declared"


def test_a_bare_name_is_the_built_ins(install, good):
    install("acme-midi", {SCHEDULES: {"sqrt": "acme:declared"}}, acme=good("acme"))
    assert find("schedule", "sqrt").package == "diffmidi"
    assert find("schedule", "diffmidi:sqrt").package == "diffmidi"
    assert find("schedule", "acme-midi:sqrt").package == "acme-midi"


def test_a_package_found_twice_on_the_path_is_one(install, good):
    for _ in range(2):
        install("acme-midi", {SCHEDULES: {"power": "acme:declared"}}, acme=good("acme"))
    assert find("schedule", "power").package == "acme-midi"


def test_every_kind_is_listed_from_metadata(install):
    install("acme-midi", {kind.group: {"x": "acme:declared"} for kind in KINDS.values()})
    for kind in KINDS:
        assert find(kind, "acme-midi:x").kind == kind
