"""`diffmidi plugins new`: what it writes for each kind, and what it refuses. tests/packaging installs it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from diffmidi_core.cli import plugins_new
from diffmidi_core.cli.plugins import command
from diffmidi_core.config import resolve
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.kinds import KINDS
from diffmidi_core.registry import find, forget_installed

ROOT = Path(__file__).parents[2]
RULES = "E,F,W,I,UP,B,SIM,RUF,C4,PT,N,D101,D102"


def new(into: Path, name: str, *kinds: str) -> str:
    arguments = ["new", name, "--into", str(into), *(word for kind in kinds for word in ("--kind", kind))]
    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """A package of each kind alone, acme-KIND, whose part is called `mine`; the toy model is not trained."""
    into = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plugins_new, "_make_model", lambda folder: (folder / "made").touch())
        for kind in KINDS:
            assert f"Wrote {into / f'acme-{kind}'}: {kind} mine." in new(into, f"acme-{kind}", f"{kind}=mine")
    return into


@contextmanager
def installed(folder: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As pip would: the package on the path, and its entry points beside it."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = site / f"{project['name'].replace('-', '_')}-0.1.0.dist-info"
    info.mkdir()
    text = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1.0\nSummary: {project['description']}\n"
    (info / "METADATA").write_text(text)
    groups = project["entry-points"].items()
    lines = (f"[{group}]\n" + "\n".join(f"{name} = {to}" for name, to in each.items()) for group, each in groups)
    (info / "entry_points.txt").write_text("\n\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(folder / "src"))
    forget_installed()
    yield
    monkeypatch.undo()
    for name in [each for each in sys.modules if each.startswith("acme_")]:
        del sys.modules[name]
    forget_installed()


def test_what_is_written_is_tidy(alone):
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run(
        [*ruff, "check", "--no-cache", "--select", RULES, "--ignore", "RUF002,RUF003"], cwd=alone, check=True
    )
    subprocess.run([*ruff, "format", "--no-cache", "--check"], cwd=alone, check=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_of_one_kind_holds_that_kind_alone(alone, kind):
    folder, source = alone / f"acme-{kind}", f"src/acme_{kind}"
    texts = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }
    expected = {".gitignore", "README.md", "pyproject.toml", "tests/test_conformance.py"}
    expected |= {f"{source}/__init__.py", f"{source}/py.typed"}
    if kind == "model":
        expected |= {"make_model.py", "made"}
    else:
        expected |= {f"{source}/declarations.py", "tiny.json", "tests/test_run.py"}
    if KINDS[kind].contract:
        expected |= {f"{source}/{kind}.py"}
        assert texts[f"{source}/{kind}.py"].count("\n") <= 62
        assert f'help("diffmidi.api.{kind}")' in texts[f"{source}/{kind}.py"]
        assert "\nNext: " in texts[f"{source}/{kind}.py"]
    assert texts.keys() - {f"tests/test_{kind}.py"} == expected
    assert not [name for name, text in texts.items() if "{{" in text or "{%" in text]


def test_a_model_of_ones_own_takes_the_place_of_the_toy(alone):
    readme = (alone / "acme-model" / "README.md").read_text(encoding="utf-8")
    place = "src/acme_model/model"
    assert f"rm -r {place}\ndiffmidi export RUN --to {place} --name mine --license LICENCE --half\n" in readme
    assert "remove the toy" not in (alone / "acme-metric" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "model"])
def test_its_part_is_found_imports_the_doors_alone_and_is_chosen_by_its_config(alone, tmp_path, monkeypatch, kind):
    folder = alone / f"acme-{kind}"
    config = json.loads((folder / "tiny.json").read_text(encoding="utf-8"))
    with installed(folder, tmp_path, monkeypatch):
        assert find(kind, "mine").problem() is None
        chosen = resolve(config, {"data": "songs.melodies" if kind == "source" else str(folder)})
    # A rule is asked for when music is drawn, not when a model is trained.
    assert (f"acme-{kind}" in str(chosen.model_dump(exclude={"data"}))) == (kind != "control")
    for path in folder.glob("src/*/*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        imported = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        assert {each for each in imported if each.startswith("diffmidi")} <= {"diffmidi.api", f"diffmidi.api.{kind}"}


def test_a_part_is_called_as_its_package_unless_it_is_given_a_name(tmp_path):
    new(tmp_path, "diffmidi-slope", "schedule", "metric=how_steep")
    project = tomllib.loads((tmp_path / "diffmidi-slope" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"] == {
        "diffmidi.schedules": {"slope": "diffmidi_slope.declarations:schedule"},
        "diffmidi.metrics": {"how_steep": "diffmidi_slope.declarations:metric"},
    }
    source = tmp_path / "diffmidi-slope" / "src" / "diffmidi_slope"
    assert "class SlopeSchedule(" in (source / "schedule.py").read_text(encoding="utf-8")
    assert "class HowSteepMetric(" in (source / "metric.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "kinds", "sentence"),
    [
        ("acme midi", ["metric"], "'acme midi' is no name of a package"),
        ("acme-", ["metric"], "'acme-' is no name of a package"),
        ("../acme", ["metric"], "is no name of a package"),
        ("3d-noise", ["metric"], "Python could not import a package called 3d_noise"),
        ("class", ["metric"], "Python could not import a package called class"),
        ("torch", ["metric"], "a module torch is installed here already"),
        ("diffmidi-metrics", ["metric"], "a module diffmidi_metrics is installed here already"),
        ("acme", ["metrik"], "there is no kind 'metrik'. Did you mean 'metric'? Kinds: tokenizer, "),
        ("acme", ["metric=a", "metric=b"], "--kind metric is given twice"),
        ("acme", ["metric=My Leap"], "'My Leap' is no name of a part"),
        ("acme", ["metric="], "'' is no name of a part"),
        ("acme", ["metric=for"], "'for' is no name of a part"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_written(tmp_path, name, kinds, sentence):
    with pytest.raises(UsageError) as error:
        new(tmp_path, name, *kinds)
    assert sentence in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path):
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="acme is there already: choose another name, or another place with --into"):
        new(tmp_path, "acme", "metric")
    assert [path.name for path in (tmp_path / "acme").iterdir()] == ["mine.txt"]


def test_a_name_of_a_part_of_ours_is_warned_of_and_spelled_out(tmp_path):
    said = new(tmp_path, "acme-waves", "schedule=cosine")
    assert "diffmidi has a schedule 'cosine' of its own" in said
    assert "acme-waves:cosine" in (tmp_path / "acme-waves" / "README.md").read_text(encoding="utf-8")
    assert "of its own" not in new(tmp_path, "acme-other", "schedule=mine")


def test_without_copier_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)
    with pytest.raises(UsageError, match=r"needs copier, which is not installed: pip install 'diffmidi\[plugins\]'"):
        new(tmp_path, "acme", "metric")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_cannot_be_made_leaves_nothing(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "a long story\nUsageError: no room\n")
    monkeypatch.setattr(plugins_new.subprocess, "run", lambda *arguments, **options: failed)
    with pytest.raises(DiffmidiError, match=r"the toy model could not be made \(UsageError: no room\)"):
        new(tmp_path, "acme-songs", "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("builder", [SdistBuilder, WheelBuilder])
def test_the_template_is_in_what_is_published(builder):
    packed = {Path(each.path) for each in builder(str(ROOT)).recurse_included_files()}
    files = {path for path in (ROOT / "diffmidi_core" / "template").rglob("*") if path.is_file()}
    assert len(files) > 20
    assert files <= packed
