"""Every check that diffmidi's own parts must pass. Without pytest: `diffmidi plugins check diffmidi-voice-leading`.

One that fails for a reason which you accept is named with it:
parametrize_with_checks(..., expected_failures={"KIND-diffmidi-voice-leading:NAME-check_...": "why"}).
"""

from diffmidi_core.testing import installed_by, parametrize_with_checks


@parametrize_with_checks(installed_by("diffmidi-voice-leading"))
def test_conformance(component, check):
    check(component)
