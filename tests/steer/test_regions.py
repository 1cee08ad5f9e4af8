"""The language of regions."""

import pytest

from diffmidi_core.errors import UsageError
from diffmidi_core.steer.regions import Region, Regions, regions


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("bars 5-8", Region(bars=(5, 8))),
        ("bar 0", Region(bars=(0, 0))),
        ("bars 5-", Region(bars=(5, None))),
        ("seconds 3.5-7", Region(seconds=(3.5, 7.0))),
        ("pitch C4-C6", Region(pitch=(60, 84))),
        ("pitch Bb-1-b3", Region(pitch=(10, 59))),
        ("pitch F#4", Region(pitch=(66, 66))),
        ("pitch 60-72", Region(pitch=(60, 72))),
        ("track 2", Region(track="2")),
        ("track Violin II, hand right", Region(track="Violin II", hand="right")),
        ("bars 5-8, pitch C4-C6", Region(bars=(5, 8), pitch=(60, 84))),
    ],
)
def test_a_region_is_read_and_written_back(text: str, region: Region) -> None:
    assert Region.parse(text) == region
    assert Region.parse(str(region)) == region


@pytest.mark.parametrize(
    "text",
    [
        "", "bars", "bars x", "bars 8-5", "bars -3", "beats 5", "seconds 3", "seconds 7-7", "pitch C6-C4", "pitch H4",
        "pitch 60-128", "hand both", "bars 1, bars 2", "bars 1;pitch C4",
    ],
)  # fmt: skip
def test_what_is_no_region_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError) as error:
        Region.parse(text)
    assert "\n" not in str(error.value)


def test_flags_are_one_region_and_each_text_one_more() -> None:
    found = regions(["bars 9", "track 2"], bars="1-2", pitch="C4", inverted=True)
    assert found == Regions((Region(bars=(1, 2), pitch=(60, 60)), Region(bars=(9, 9)), Region(track="2")), True)
    assert str(found) == "all except bars 1-2, pitch C4; bars 9; track 2"


def test_nothing_said_is_refused() -> None:
    with pytest.raises(UsageError, match="--bars"):
        regions()
