"""What a shell is told that completes `diffmidi ...`, and what --version says."""

import platform
from importlib.metadata import version

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from diffmidi_core import __version__
from diffmidi_core.cli import COMMANDS, group
from diffmidi_core.registry import offers

DECLARED = "from diffmidi.api import Declaration\nmine = Declaration(summary='mine', implementation='acme:Mine')\n"


def completed(*words: str) -> list[tuple[str, str]]:
    """Type and value of what is offered for the last of these words."""
    found = ShellComplete(group, {}, "diffmidi", "_DIFFMIDI_COMPLETE").get_completions([*words[:-1]], words[-1])
    return [(each.type, each.value) for each in found]


def test_commands():
    assert completed("") == [("plain", name) for name in COMMANDS]
    assert completed("inf") == [("plain", "infill")]
    assert ("plain", "--version") in completed("--")


def test_options_of_a_command():
    assert ("plain", "--tokenizer") in completed("run", "--to")


@pytest.mark.parametrize(
    ("flag", "kind"), [("--backbone", "backbone"), ("--metric", "metric"), ("--preset", "preset"), ("--hook", "hook")]
)
def test_names_of_parts(flag, kind):
    assert [value for _, value in completed("run", flag, "")] == sorted(offer.name for offer in offers(kind))


def test_a_default_part_that_is_left_out_or_all():
    assert ("plain", "all") in completed("run", "--no-metric", "a")


def test_a_name_that_two_packages_have_is_told_with_the_package(install):
    for package in ("acme-midi", "more-midi"):
        install(package, {"diffmidi.schedules": {"power": "acme:mine"}}, acme=DECLARED)
    assert completed("run", "--schedule", "acme") == [("plain", "acme-midi:power")]
    assert completed("run", "--schedule", "power") == []


def test_a_model_is_a_name_that_was_begun_or_a_path(install):
    install("acme-songs", {"diffmidi.models": {"songs": "acme_songs"}})
    assert completed("sample", "son") == [("plain", "songs")]
    assert completed("sample", "") == [("file", "")]
    assert completed("infill", "piece.mid", "--model", "runs/") == [("file", "runs/")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_a_script_that_asks_us(shell):
    done = CliRunner().invoke(group, ["completion", shell])
    assert done.exit_code == 0
    assert f"_DIFFMIDI_COMPLETE={shell}_complete" in done.stdout


def test_the_version_and_what_a_report_of_a_fault_should_name():
    first, second = CliRunner().invoke(group, ["--version"]).stdout.splitlines()
    assert first == f"diffmidi {__version__}"
    assert second.startswith(f"Python {platform.python_version()}, torch {version('torch')}, transformers ")
