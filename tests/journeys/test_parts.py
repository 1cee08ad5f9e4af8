"""Parts of other packages: found before any work is done for them, named when they fail, and never mistaken."""

import json
from pathlib import Path

import pytest

from .conftest import JUDGED, QUIET, TRAINED, silence

DECLARED = """
from diffmidi.api import {of_kind}
declared = {of_kind}(summary="a part", implementation="acme_parts:Part"{more})
"""
OF_KIND = {"samplers": "SamplerDeclaration", "metrics": "MetricDeclaration"}
METRIC = """
from diffmidi.api.metric import Metric
class Part(Metric):
    subject = "samples"
    def measure(self, item):
        {measure}
    def summarise(self, rows, reference=()):
        return None
"""
RENDERER = """
from diffmidi.api.renderer import Renderer
class Part(Renderer):
    suffix = ".acme"
    def render(self, score, path, *, title=""):
        raise OSError("no paper")
"""
SAMPLER = """
from diffmidi.api.process import MaskedDiffusion
from diffmidi.api.sampler import Sampler
class Part(Sampler):
    serves = MaskedDiffusion
    def draw(self, process, canvas, steps, draws, denoise, on_step):
        raise IndexError("off by one")
"""
SCHEDULE = """
from diffmidi.api.schedule import NoiseSchedule
class Part(NoiseSchedule):
    def alpha_bar(self, t):
        return 1 - t
"""
DRAWS = ("--steps", "3", "--samples", "2")
SILENT = ("--no-renderer", "all", *JUDGED)
UNSEEN = (*SILENT, "--no-hook", "all", "--hook", "power")


@pytest.fixture
def offer(install):
    """Installs a part named `power` of acme-midi, or of another package."""

    def make(kind, parts, *, more="", package="acme-midi", version="1.0", name="power"):
        return install(
            package,
            {f"diffmidi.{kind}": {name: "acme:declared"}},
            version=version,
            acme=DECLARED.format(more=more, of_kind=OF_KIND.get(kind, "Declaration")),
            acme_parts=parts,
        )

    return make


def test_a_broken_part_is_found_before_the_music_is_read(diffmidi, music, offer):
    offer("metrics", "import nothing_of_that_name")
    said = diffmidi("run", "--data", music, "--out", "mine", *TRAINED, "--metric", "power")
    assert said.code == 2, said.err
    assert "metric 'power' of acme-midi 1.0 is broken: acme_parts:Part cannot be imported" in said.err
    assert not Path("mine/data").exists()


@pytest.mark.parametrize("measure", ["raise ValueError('odd')", "raise SystemExit(3)", "return {'a': float('nan')}"])
def test_a_metric_that_fails_is_named_and_the_others_and_the_page_go_on(diffmidi, mine, offer, measure):
    offer("metrics", METRIC.format(measure=measure))
    said = diffmidi("evaluate", mine, "--metric", "power", "-o", "evaluate.levels=2")
    assert said.code == 0, said.err
    assert "'acme-midi:power' of acme-midi 1.0 failed while measuring, and is left out" in " ".join(said.err.split())
    figures = json.loads((mine / "draws/1/figures.json").read_text())["figures"]
    assert figures["pitch_range"] is not None
    assert not any("power" in name for name in figures)


def test_a_renderer_that_fails_is_named_and_the_others_go_on(diffmidi, mine, offer):
    offer("renderers", RENDERER)
    for path in (mine / "draws/1").glob("*.png"):
        path.unlink()
    said = diffmidi("render", mine, "--renderer", "power", "--no-renderer", "wav")
    assert said.code == 0, said.err
    told = " ".join(said.err.split())
    assert (
        "renderer 'power' of acme-midi 1.0 failed while rendering piece 1 (OSError: no paper). It is left out." in told
    )
    assert (mine / "draws/1/002.roll.png").is_file()


def test_a_sampler_that_fails_is_named_in_one_sentence(diffmidi, mine, offer):
    offer("samplers", SAMPLER, more=', family="masked"')
    said = diffmidi("sample", mine, "--sampler", "power")
    assert said.code == 2
    assert said.err.strip().splitlines()[-1] == (
        "Error: sampler 'power' of acme-midi 1.0 failed while drawing (IndexError: off by one)."
    )


def test_a_run_knows_whose_part_it_was_trained_with(diffmidi, music, offer, monkeypatch):
    from diffmidi_core.registry import forget_installed

    site = offer("schedules", SCHEDULE)
    said = diffmidi("run", "--data", music, "--out", "mine", *TRAINED, *DRAWS, *QUIET, "--schedule", "power")
    assert said.code == 0, said.err
    part = json.loads(Path("mine/config.json").read_text())["schedule"]
    assert (part["package"], part["name"], part["version"]) == ("acme-midi", "power", "1.0")
    assert len(part["fingerprint"]) == 16

    offer("schedules", SCHEDULE, package="other-midi")
    assert diffmidi("sample", "mine", *DRAWS, "--render", "none").code == 0, "another of that name is no hindrance"

    import sys

    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(site)])
    forget_installed()
    gone = diffmidi("sample", "mine", *DRAWS)
    assert gone.code != 0
    assert "needs schedule 'power' of acme-midi 1.0, which is not installed: pip install acme-midi==1.0." in gone.err


def test_a_class_of_a_file_trains_a_run_which_opens_once_the_file_is_named_again(diffmidi, music, monkeypatch):
    import sys

    monkeypatch.setenv("DIFFMIDI_IMPORT", "")
    before = [*sys.path]
    Path("slope.py").write_text(SCHEDULE.replace("Part", "Slope"))
    said = diffmidi("run", "--data", music, "--out", "mine", *TRAINED, *DRAWS, *QUIET, "--schedule", "slope.py:Slope")
    assert said.code == 0, said.err
    part = json.loads(Path("mine/config.json").read_text())["schedule"]
    assert (part["package"], part["name"], part["version"]) == ("slope", "Slope", "(imported)")

    sys.modules.pop("slope")  # as in another program
    monkeypatch.setattr(sys, "path", before)
    monkeypatch.setenv("DIFFMIDI_IMPORT", "")
    said = diffmidi("sample", "mine", *DRAWS)
    told = "needs schedule 'Slope' of the module slope, whose code is not saved with it: name it (diffmidi --import "
    assert f"{told}slope.py ...), or import it in your program." in said.err
    assert "slope" not in sys.modules
    said = diffmidi("--import", "slope.py", "sample", "mine", *DRAWS, "--render", "none")
    assert said.code == 0, said.err
    sys.modules.pop("slope")


def test_drawing_showing_and_reporting_need_only_what_they_use(diffmidi, mine):
    config = json.loads((mine / "config.json").read_text())
    gone = {"name": "power", "package": "acme-midi", "version": "1.0", "options": {"a": 1}}
    config |= {"source": gone, "hooks": [*config["hooks"], gone], "metrics": [*config["metrics"], gone]}
    (mine / "config.json").write_text(json.dumps(config))
    drawing = ("sample", mine, "--steps", "3", "--samples", "1", "--render", "none")
    silence(mine)
    for words in (drawing, ("render", mine, "--no-renderer", "wav"), ("report", mine), ("evaluate", mine)):
        said = diffmidi(*words)
        assert said.code == 0, said.err
    assert "no metric 'acme-midi:power' is installed" in said.err, "what is left out is named"
    config["backbone"] = gone
    (mine / "config.json").write_text(json.dumps(config))
    assert diffmidi(*drawing).code == 0, "a checkpoint knows its parts itself"
    said = diffmidi("report", mine)
    assert said.code == 0, said.err


def test_a_chosen_listener_joins_the_default_ones(diffmidi, music, offer):
    offer(
        "hooks",
        "from diffmidi.api import hookimpl\nclass Part:\n"
        "    def __init__(self, options): pass\n"
        "    @hookimpl\n    def scalars(self, step, values):\n        raise RuntimeError('no ink')\n",
    )
    said = diffmidi("run", "--data", music, "--out", "mine", *TRAINED, *DRAWS, *SILENT, "--hook", "power")
    assert said.code == 0, said.err
    assert "hook 'acme-midi:power' failed at scalars (RuntimeError: no ink)" in " ".join(said.err.split())
    assert Path("mine/report.html").is_file()
    quiet = diffmidi("run", "--data", music, "--out", "quiet", *TRAINED, *DRAWS, *UNSEEN)
    assert quiet.code == 0, quiet.err
    assert "Warning: hook 'acme-midi:power' failed at scalars" in quiet.err, "warnings reach the terminal all the same"
    assert not Path("quiet/report.html").exists()


def test_a_source_that_claims_everything_takes_no_folder_and_is_not_even_imported_for_one(diffmidi, music, install):
    install("greedy", {"diffmidi.sources": {"all": "greedy:declared"}}, greedy="raise RuntimeError('imported')")
    said = diffmidi("prepare", music, "--out", "mine")
    assert said.code == 0, said.err
    assert json.loads(Path("mine/config.json").read_text())["source"]["name"] == "folder"
    said = diffmidi("prepare", next(iter(music.iterdir())), "--out", "one")
    assert said.code == 0, said.err
    assert json.loads(Path("one/config.json").read_text())["source"]["name"] == "folder"


def test_a_renamed_part_still_opens(diffmidi, music, offer):
    offer("schedules", SCHEDULE)
    assert diffmidi("run", "--data", music, "--out", "mine", *TRAINED, *DRAWS, *QUIET, "--schedule", "power").code == 0
    import shutil
    import sys

    from diffmidi_core.registry import forget_installed

    def renamed(version, more=""):
        here = next(path for path in sys.path if path.rpartition("/")[2].startswith("site"))
        shutil.rmtree(here)
        sys.path.remove(here)
        offer("schedules", SCHEDULE, more=more, version=version, name="linear_power")
        forget_installed()
        return diffmidi("sample", "mine", *DRAWS, "--render", "none")

    said = renamed("2.0")
    assert said.code != 0
    told = "of acme-midi 1.0, which is not installed (acme-midi 2.0 is, with linear_power): pip install acme-midi==1.0."
    assert told in said.err
    said = renamed("2.1", ', was=("power",)')
    assert said.code == 0, said.err
