"""The conformance kit: what each kind promises, as named checks that built-ins and third parties both pass.

In a plugin's tests:

    from diffmidi_core.testing import installed_by, parametrize_with_checks

    @parametrize_with_checks(installed_by("acme-midi"))
    def test_conformance(component, check):
        check(component)

`diffmidi plugins check acme-midi` runs the same checks without pytest.
"""

from diffmidi_core.testing.component import Check, Component, checks_for, installed_by
from diffmidi_core.testing.parametrize import parametrize_with_checks

__all__ = ["Check", "Component", "checks_for", "installed_by", "parametrize_with_checks"]
