"""Every check that diffmidi's own parts must pass."""

from diffmidi_core.testing import installed_by, parametrize_with_checks


@parametrize_with_checks(installed_by("diffmidi-uniform-noise"))
def test_conformance(component, check):
    check(component)
