"""Paths that a user types: `~` is their home folder in every option, inside -o and in a config file too."""

from pathlib import Path

import click
import pytest

from diffmidi_core import cli
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.config import resolve
from diffmidi_core.registry import find


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return str(tmp_path)


@pytest.mark.parametrize(
    ("kind", "name", "option"),
    [
        ("tokenizer", "miditok", "pretrained"),
        ("backbone", "bert", "pretrained"),
        ("backbone", "electra", "pretrained"),
        ("renderer", "wav", "soundfont"),
        ("renderer", "waveform", "soundfont"),
    ],
)
def test_an_option_of_a_part(home, kind, name, option):
    options = find(kind, name).load().options(**{option: "~/some/file"})
    assert str(getattr(options, option)) == f"{home}/some/file"
    assert str(getattr(type(options)(**{option: "/some/~file"}), option)) == "/some/~file"


def test_an_option_of_a_section_inside_o_and_in_a_file(home):
    for said in (
        resolve(assignments=["prepare.labels=~/labels.csv"]),
        resolve(file={"prepare": {"labels": "~/labels.csv"}}),
    ):
        assert said.prepare.labels == Path(home) / "labels.csv"


def test_the_data(home):
    (Path(home) / "music").mkdir()
    for config in (resolve(flags={"data": "~/music"}), resolve(file={"data": "~/music"})):
        assert (config.data, config.source.name) == (f"{home}/music", "folder")
    assert resolve(flags={"data": "hub:some/~data"}).data == "hub:some/~data"


def path_parameters():
    for name in cli.COMMANDS:
        command = cli.group.get_command(click.Context(cli.group), name)
        commands = command.commands.values() if isinstance(command, click.Group) else [command]
        for each in commands:
            for parameter in each.params:
                kinds = parameter.type.types if isinstance(parameter.type, click.Tuple) else [parameter.type]
                yield from ((name, parameter.name, kind) for kind in kinds if isinstance(kind, click.Path))


def test_every_path_on_the_command_line(home):
    found = list(path_parameters())
    assert {"compare", "export", "prepare", "run", "sample", "text", "train"} <= {name for name, *_ in found}
    for name, parameter, kind in found:
        assert isinstance(kind, UserPath), f"{name}: {parameter}"
    assert UserPath().convert("~/runs/mine", None, None) == Path(home) / "runs/mine"
