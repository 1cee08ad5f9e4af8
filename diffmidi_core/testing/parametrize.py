"""The kit in pytest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from diffmidi_core.declaration import Declaration, Described
from diffmidi_core.errors import UsageError
from diffmidi_core.kinds import KINDS
from diffmidi_core.registry import Offer, offers
from diffmidi_core.testing.component import Component, checks_for

if TYPE_CHECKING:
    import pytest


def parametrize_with_checks(
    parts: Iterable[Offer | Described], expected_failures: Mapping[str, str] | None = None
) -> pytest.MarkDecorator:
    """Parametrise a test over `component` and `check`: every check of every part.

    Args:
        parts: offers (`installed_by`, `find`), or declarations of installed packages.
        expected_failures: test id to the reason why it fails today, such as
            {"tokenizer-acme-midi:octuple-check_faultless": "drums lose velocity, #12"}. Strict: one that passes fails.

    Raises UsageError where there is nothing to check, or where an expected failure names no check.
    """
    import pytest

    reasons = dict(expected_failures or {})
    cases = []
    for part in parts:
        component = Component(part if isinstance(part, Offer) else _offer_of(part))
        for check in checks_for(component.offer.kind):
            name = f"{component}-{check.__name__}"
            reason = reasons.pop(name, None)
            marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
            cases.append(pytest.param(component, check, id=name, marks=marks))
    if not cases:
        raise UsageError("there are no parts to check: is the package installed (pip install -e .)?")
    if reasons:
        raise UsageError(f"expected_failures names no test of these parts: {', '.join(reasons)}.")
    return pytest.mark.parametrize(("component", "check"), cases)


def _offer_of(declaration: Described) -> Offer:
    for kind in KINDS:
        for offer in offers(kind):
            if offer.problem() is None and offer.described() is declaration:
                return offer
    raise UsageError(
        f"no installed package offers {_called(declaration)}: give it an entry point and install it (pip install -e .)."
    )


def _called(declaration: Described) -> str:
    return declaration.implementation if isinstance(declaration, Declaration) else f"the preset '{declaration.summary}'"
