"""The built-in report, declared."""

from __future__ import annotations

from diffmidi.api import Declaration, Field, Options


class ReportOptions(Options):
    """Options of `report`."""

    samples: int = Field(8, ge=0, description="how many pieces of each draw it shows, the first ones")
    draws: int = Field(8, ge=1, description="how many draws one can choose from on the page, the newest first")
    megabytes: float = Field(
        8.0, gt=0, le=500, description="how large the page becomes at most: sound is dulled, then cut, then left out"
    )


report = Declaration(
    summary="report.html: the run, its curves, its figures and its music on one page",
    implementation="diffmidi_report.report:Report",
    options=ReportOptions,
    tiny={"samples": 1, "megabytes": 0.1},
)
