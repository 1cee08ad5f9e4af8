"""Who is blamed for an error: the part that raised it, wherever it was called from."""

from __future__ import annotations

import pytest
import torch

from diffmidi_core.blame import culprit
from diffmidi_core.cli import _blaming
from diffmidi_core.errors import BrokenPluginError
from diffmidi_core.registry import find

API = "from diffmidi.api import *\n"
SCHEDULE = """
from diffmidi.api.schedule import NoiseSchedule

class Part(NoiseSchedule):
    def alpha_bar(self, t):
        if {where}:
            return {{}}["signal"]
        return 1 - t
"""
WORDS = "KeyError: 'signal'"


@pytest.fixture
def steep(install):
    """Installs acme-midi's schedule `steep`, which raises where this is so of t."""

    def make(where: str) -> None:
        install(
            "acme-midi",
            {"diffmidi.schedules": {"steep": "acme:declared"}},
            acme=API + "declared = Declaration('x', 'acme_steep:Part')",
            acme_steep=SCHEDULE.format(where=where),
        )

    return make


def test_a_schedule_that_raises_while_a_process_is_built(steep, make_process):
    steep("True")
    with pytest.raises(BrokenPluginError) as error:
        make_process("gaussian", schedule="steep")
    assert str(error.value) == (
        f"schedule 'steep' of acme-midi 1.0 failed while building process 'gaussian' ({WORDS})."
    )


def test_a_schedule_that_raises_inside_a_process_that_draws_or_learns(steep, make_process):
    steep("len(t.shape)")
    process = make_process("masked", schedule="steep")
    with (
        pytest.raises(BrokenPluginError, match=r"^schedule 'steep' of acme-midi 1\.0 failed while drawing \(KeyError"),
        find("process", "masked").blamed("drawing"),
    ):
        process.schedule.alpha_bar(torch.zeros(2))
    with pytest.raises(KeyError) as error:
        process.schedule.betas(3)
    assert _blaming(error.value) == f"schedule 'steep' of acme-midi 1.0 failed while the command ran ({WORDS})."


def test_what_no_part_raised_is_nobodys_and_what_ours_raise_stays_a_traceback():
    with pytest.raises(KeyError) as error:
        {}["signal"]
    assert culprit(error.value) is None
    schedule = find("schedule", "sqrt").build()
    with pytest.raises(TypeError) as error:
        schedule.alpha_bar(None)
    assert culprit(error.value) == find("schedule", "sqrt")
    assert _blaming(error.value) is None


def test_whoever_hands_ours_what_it_cannot_take_is_to_blame(install):
    install(
        "acme-midi",
        {"diffmidi.schedules": {"steep": "acme:declared"}},
        acme=API + "declared = Declaration('x', 'acme_twice:Part')",
        acme_twice="""
from diffmidi.api.schedule import NoiseSchedule
from diffmidi_core.registry import find

class Part(NoiseSchedule):
    def alpha_bar(self, t):
        return find("schedule", "sqrt").build().alpha_bar("half")
""",
    )
    schedule = find("schedule", "steep").build()
    with (
        pytest.raises(BrokenPluginError, match=r"^schedule 'steep' of acme-midi 1\.0 failed while training"),
        find("process", "masked").blamed("training"),
    ):
        schedule.alpha_bar(torch.zeros(()))


@pytest.mark.parametrize("where", ["declaration", "implementation", "building"])
def test_ctrl_c_is_the_users_own(install, where):
    interrupt = "raise KeyboardInterrupt\n"
    part = SCHEDULE.format(where="False")
    declaration = API + "declared = Declaration('x', 'acme_now:Part')"
    install(
        "acme-midi",
        {"diffmidi.schedules": {"steep": "acme:declared"}},
        acme=interrupt * (where == "declaration") + declaration,
        acme_now=interrupt * (where == "implementation")
        + part
        + "    def __init__(self, options):\n        raise KeyboardInterrupt\n" * (where == "building"),
    )
    steep = find("schedule", "steep")
    with pytest.raises(KeyboardInterrupt):
        steep.build()
    with pytest.raises(KeyboardInterrupt), find("schedule", "sqrt").blamed("drawing"):
        raise KeyboardInterrupt
