"""Wrong options are one sentence each, with the nearest right name."""

from __future__ import annotations

import pytest
from pydantic import field_validator, model_validator

from diffmidi.api import Field, Options
from diffmidi_core.errors import BrokenPluginError, UsageError
from diffmidi_core.registry import Offer, check_options, find

OFFER = Offer("schedule", "power", "acme-midi", "1.0", "acme:declared")


class Power(Options):
    power: float = Field(2.0, gt=0, le=8, description="how steep")
    Twist: int = Field(0, description="how crooked")

    @field_validator("Twist")
    @classmethod
    def _straight(cls, value: int) -> int:
        if value > 5:
            raise ValueError("T must not be twisted more than 5 times")
        if value < 0:
            raise ValueError
        return value

    @model_validator(mode="after")
    def _together(self) -> Power:
        if self.power == self.Twist:
            raise ValueError("power and Twist must differ")
        if self.power == 7:
            raise KeyError("seven")
        return self


def said(model=Power, **values) -> str:
    with pytest.raises(UsageError) as error:
        check_options(OFFER, model, values)
    return str(error.value)


def test_right_options_are_filled_in_and_frozen():
    options = check_options(OFFER, Power, {"power": "3"})
    assert options.model_dump() == {"power": 3.0, "Twist": 0}


def test_an_unknown_name():
    assert said(powre=3) == (
        "schedule 'power' (acme-midi 1.0): there is no option schedule.powre. Did you mean 'power'? "
        "Options: power, Twist."
    )


def test_a_part_without_options():
    with pytest.raises(UsageError, match=r"there is no option schedule\.x\. Options: none\."):
        find("schedule", "sqrt").options({"x": 1})


def test_a_wrong_type_shows_what_was_given():
    assert said(power="steep") == (
        "schedule 'power' (acme-midi 1.0): schedule.power: input should be a valid number, unable to parse string as "
        "a number (given: 'steep')."
    )


@pytest.mark.parametrize(("value", "bound"), [(0, "greater than 0"), (9, "less than or equal to 8")])
def test_bounds(value, bound):
    assert said(power=value).endswith(f"schedule.power: input should be {bound} (given: {value}).")


def test_a_very_long_value_is_cut():
    assert len(said(power="x" * 10_000)) < 500


def test_a_validators_own_words_are_left_as_they_are():
    assert said(Twist=6).endswith("schedule.Twist: T must not be twisted more than 5 times (given: 6).")
    assert said(Twist=-1).endswith("schedule.Twist: is not a value it takes (given: -1).")


def test_a_mistake_of_several_options_names_the_part():
    assert said(power=2, Twist=2) == "schedule 'power' (acme-midi 1.0): schedule: power and Twist must differ."


def test_several_mistakes_are_all_said():
    message = said(power=0, Twist="much", powre=1)
    assert all(part in message for part in ("schedule.power:", "schedule.Twist:", "schedule.powre."))


def test_an_option_that_must_be_given():
    class Needy(Options):
        file: str = Field(description="where")

    assert said(Needy) == "schedule 'power' (acme-midi 1.0): schedule.file must be given."


def test_a_validator_that_breaks_is_blamed_on_its_package():
    with pytest.raises(BrokenPluginError, match=r"of acme-midi 1\.0 cannot be checked \(KeyError: 'seven'\)"):
        check_options(OFFER, Power, {"power": 7})
