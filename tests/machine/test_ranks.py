"""Which process this is of how many, as launchers say it by the environment."""

import subprocess
import sys

import pytest

from diffmidi_core.machine.ranks import started_alone

SHOW = "from diffmidi_core.machine import ranks; print(ranks.world_size(), bool(ranks.started_alone()))"
SIZES = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
LAUNCHED = {"ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_USE_CPU": "False"}
MEETING = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.fixture
def environment(monkeypatch):
    for name in (*SIZES, *LAUNCHED, *MEETING):
        monkeypatch.delenv(name, raising=False)
    return lambda **values: [monkeypatch.setenv(name, value) for name, value in values.items()]


@pytest.mark.parametrize(
    ("given", "alone"),
    [
        ({}, False),
        (LAUNCHED, False),
        (MEETING, False),
        (LAUNCHED | MEETING, True),
        (LAUNCHED | MEETING | {"RANK": "0", "WORLD_SIZE": "2"}, False),
        (LAUNCHED | MEETING | {"OMPI_COMM_WORLD_SIZE": "2"}, False),
    ],
)
def test_one_process_of_several_that_were_asked_for_is_told_by_the_environment(environment, given, alone):
    environment(**given)
    assert (started_alone() is not None) == alone


@pytest.mark.parametrize(("asked", "said"), [("1", ["1 False"]), ("2", ["1 True"])])
def test_accelerate_launch_starts_one_process_where_it_is_told_of_no_gpus(environment, tmp_path, asked, said):
    """The environment is accelerate's own; where a newer one says it otherwise, this shows it."""
    (tmp_path / "show.py").write_text(SHOW)
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", asked]
    shown = subprocess.run([*launch, tmp_path / "show.py"], check=True, capture_output=True, text=True)
    assert shown.stdout.splitlines() == said
