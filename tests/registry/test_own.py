"""Parts of a user's own file or module, without a package."""

from __future__ import annotations

import json
import sys
import types

import pytest
from click.testing import CliRunner

from diffmidi_core.allowing import IMPORT
from diffmidi_core.cli import group
from diffmidi_core.config import resolve
from diffmidi_core.errors import BrokenPluginError, UsageError
from diffmidi_core.own import IMPORTED
from diffmidi_core.registry import find, own_offers

TEXT = '''
from diffmidi.api import Declaration, Field, Options, SamplerDeclaration
from diffmidi.api.sampler import Sampler
from diffmidi.api.schedule import NoiseSchedule

print("LOUD")

class Choices(Options):
    power: float = Field(2.0, gt=0, description="how steep")

class Slope(NoiseSchedule):
    """Signal falls as a power.

    More of it.
    """

    options: "Choices"

    def alpha_bar(self, t):
        return (1 - t) ** self.options.power

class Wrong(NoiseSchedule):
    options: int

class Dice(Sampler):
    pass

declared = SamplerDeclaration("throws dice", "mine:Dice", family="masked")
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A file mine.py; nothing of it is imported, and all that is done with it is undone."""
    file = tmp_path / "mine.py"
    file.write_text(TEXT)
    monkeypatch.setenv(IMPORT, "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield file
    sys.modules.pop("mine", None)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(group, arguments, catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


def test_a_class_of_a_file_is_a_part_on_the_command_line(mine):
    output = run("plugins", "show", "schedule", f"{mine}:Slope")
    assert "schedule Slope: Signal falls as a power." in output
    assert "power" in output
    offer = find("schedule", "mine:Slope")  # the file has been named
    assert (offer.package, offer.version, offer.spelling) == ("mine", IMPORTED, "mine:Slope")
    assert offer.build({"power": 3}).options.power == 3
    with pytest.raises(UsageError, match=r"schedule 'Slope' \(mine \(imported\)\): there is no option schedule\.powr"):
        offer.options({"powr": 3})


def test_it_is_written_into_the_config_and_taken_again_once_it_is_named(mine):
    run("--import", str(mine), "plugins", "show", "schedule", "sqrt")
    assert "mine" not in sys.modules  # only what is chosen is imported
    config = json.loads(resolve(flags={"schedule": "mine:Slope"}).model_dump_json())
    assert (config["schedule"]["package"], config["schedule"]["name"]) == ("mine", "Slope")
    assert config["schedule"]["options"] == {"power": 2.0}
    assert resolve(config).schedule == resolve(flags={"schedule": "mine:Slope"}).schedule


def test_no_file_that_is_read_can_have_it_imported(mine, monkeypatch):
    monkeypatch.syspath_prepend(str(mine.parent))
    for name in ("mine:Slope", f"{mine}:Slope"):
        with pytest.raises(UsageError, match="no schedule"):
            resolve({"schedule": {"name": name}})
    with pytest.raises(UsageError, match=r"no schedule 'mine:Slope' is installed.* diffmidi --import mine"):
        resolve({"schedule": {"name": "Slope", "package": "mine"}})
    assert "mine" not in sys.modules


def test_what_the_program_has_imported_is_taken_such_as_a_notebooks_own_classes(mine, monkeypatch):
    notebook = types.ModuleType("notebook")
    exec(compile(TEXT.replace("mine:Dice", "notebook:Dice"), "notebook", "exec", dont_inherit=True), vars(notebook))
    monkeypatch.setitem(sys.modules, "notebook", notebook)
    for each in (notebook.Slope, notebook.Choices):
        each.__module__ = "notebook"
    assert find("schedule", "notebook:Slope").build().options.power == 2.0


def test_who_says_more_of_itself_is_chosen_by_its_declaration(mine):
    run("plugins", "show", "sampler", f"{mine}:declared")
    assert find("sampler", "mine:declared").sampler().family == "masked"
    with pytest.raises(BrokenPluginError, match=r"a sampler says which family it is of, so write declared = Sampler"):
        find("sampler", "mine:Dice")


def test_what_it_prints_is_kept_out_of_what_the_command_prints(mine, capfd):
    assert find("schedule", "sqrt")
    run("--import", str(mine), "plugins", "show", "schedule", "sqrt")
    find("schedule", "mine:Slope")
    out, err = capfd.readouterr()
    assert "LOUD" in err
    assert "LOUD" not in out


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Slop", "there is no Slop in mine"),
        ("Choices", "it is no subclass of NoiseSchedule, and no diffmidi Declaration"),
        ("Wrong", "its options are <class 'int'>, which is no subclass of diffmidi.api.Options"),
        ("declared", "it is no subclass of NoiseSchedule"),
    ],
)
def test_what_is_no_such_part(mine, name, why):
    with pytest.raises(BrokenPluginError, match=rf"schedule '{name}' of mine \(imported\) is broken: {why}"):
        run("plugins", "show", "schedule", f"{mine}:{name}")


def test_files_that_cannot_be_imported(mine):
    with pytest.raises(UsageError, match="there is no file"):
        run("plugins", "show", "schedule", f"{mine.parent}/other.py:Slope")
    mine.write_text("1 / 0")
    with pytest.raises(BrokenPluginError, match=r"mine\.py cannot be imported \(ZeroDivisionError"):
        run("plugins", "show", "schedule", f"{mine}:Slope")
    for name, why in (("json", "another module is called json"), ("a-b", "give it a name of letters")):
        mine.with_name(f"{name}.py").write_text(TEXT)
        with pytest.raises(UsageError, match=why):
            run("plugins", "show", "schedule", f"{mine.parent}/{name}.py:Slope")
    with pytest.raises(UsageError, match="--import takes a module or a"):
        run("--import", "no module", "plugins", "show", "schedule", "sqrt")


def test_the_kit_checks_it(mine):
    run("--import", str(mine), "plugins", "show", "schedule", "sqrt")
    assert [offer.kind for offer in own_offers("mine:Slope")] == ["schedule"]
    assert "All " in run("plugins", "check", f"{mine}:Slope")
