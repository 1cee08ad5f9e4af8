"""Every built-in passes the kit that third parties run, and so does the starter. A new one is tested by being there."""

from diffmidi_core.testing import Check, Component, installed_by, parametrize_with_checks


@parametrize_with_checks([*installed_by("diffmidi"), *installed_by("diffmidi-starter")])
def test_builtin(component: Component, check: Check) -> None:
    check(component)
