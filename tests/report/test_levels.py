"""The picture of the bound by noise level: where it was asked for, and nowhere else."""

from diffmidi.api.hook import Judged, Picture
from diffmidi_core.saved.folder import RunFolder
from diffmidi_report.figures import of_checkpoint
from diffmidi_report.levels import section

from .conftest import FIGURE, judge

LEVELS = {
    "bound_by_level/0-50 %": {**FIGURE, "value": 0.25},
    "bound_by_level/50-100 %": {**FIGURE, "value": 2.0, "interval": [1.5, 2.5]},
    "bound_by_level/prior": {**FIGURE, "value": 0.5},
}


def judged(finished, figures):
    judge(finished, figures)
    return Judged.of_checkpoint(Judged.files(RunFolder(finished).path)[0])


def test_the_levels_are_one_picture_and_a_sentence(finished):
    found = section(judged(finished, LEVELS))
    said, picture = found.content
    assert said == (
        "Bits per token by noise level on test music: 2.75 in all, most of them (2) at 50-100 % of the noise."
    )
    assert isinstance(picture, Picture)
    assert (picture.mime, picture.alt) == ("image/svg+xml", said)
    assert picture.caption.endswith("Beside the levels: prior 0.5.")


def test_the_table_of_figures_leaves_them_to_the_picture(finished):
    groups = of_checkpoint(judged(finished, {"bound_bpw": FIGURE, **LEVELS})).groups
    assert [line.metric for group in groups for line in group.lines] == ["bound_bpw"]


def test_where_they_were_not_measured_there_is_no_section(finished):
    assert section(judged(finished, {"bound_bpw": FIGURE, "bound_by_level": None})) is None
