"""Every built-in passes the kit that third parties run. A new one is tested by being declared."""

from diffmidi_core.testing import Check, Component, installed_by, parametrize_with_checks


@parametrize_with_checks(installed_by("diffmidi"))
def test_builtin(component: Component, check: Check) -> None:
    check(component)
