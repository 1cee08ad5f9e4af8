"""What a preset promises."""

from __future__ import annotations

from collections.abc import Mapping

from diffmidi_core.config import PLURAL, SINGLE, filled, resolve
from diffmidi_core.declaration import SETTINGS
from diffmidi_core.presets import departures
from diffmidi_core.sections import Part
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect


def check_kinds_are_known(component: Component) -> None:
    """It sets parts by their kinds, lists of parts by their plural, and no source: that is for the data to decide."""
    known = (*(kind for kind in SINGLE if kind != "source"), *PLURAL.values(), *SETTINGS)
    for kind, chosen in component.offer.preset().parts.items():
        expect(kind in known, f"a preset does not set {kind}, but {', '.join(known)}")
        one = isinstance(chosen, Mapping)
        expect(one == (kind not in PLURAL.values()), f"{kind} is one part, or a list of parts where plural")


def check_parts_can_be_chosen(component: Component) -> None:
    """Every part that it names is installed, and takes the options that it sets."""
    kinds = {many: kind for kind, many in PLURAL.items()}
    for kind, chosen in component.offer.preset().parts.items():
        if kind in SETTINGS:
            continue
        for part in [chosen] if isinstance(chosen, Mapping) else chosen:
            filled(kinds.get(kind, kind), Part(**part))


def check_a_run_can_begin_from_it(component: Component) -> None:
    """--preset NAME is a config whose parts fit each other, and that departs from the preset in nothing."""
    config = resolve(flags={"preset": component.offer.spelling}).model_dump(mode="json")
    changed = departures(config)
    expect(not changed, f"a run that only names the preset departs from it in {', '.join(changed or ())}")
