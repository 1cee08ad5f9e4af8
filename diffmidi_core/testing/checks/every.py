"""What everything promises that is offered, models too."""

from __future__ import annotations

from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect

LONGEST_SUMMARY = 120


def check_summary_is_one_line(component: Component) -> None:
    """There is a summary, and it fits a listing."""
    summary = component.offer.described().summary
    expect(summary.strip() and len(summary.splitlines()) == 1, f"the summary is one line of text, not {summary!r}")
    expect(len(summary) <= LONGEST_SUMMARY, f"the summary has {len(summary)} characters: {LONGEST_SUMMARY} at most")
