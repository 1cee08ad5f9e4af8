"""What people install: the wheels of diffmidi, of the plugin template and of the starter, not editable.

They are in an environment of their own, which borrows the dependencies of this one through a .pth file. Python does not
read the .pth files of a folder that it was pointed to by one, so the editable installs of this repository stay out of
it; a test makes sure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from diffmidi_core.music.toy import toy_scores

from .scripts import ROOT, release

TEMPLATE = ROOT / "examples" / "plugin-template"
STARTER = ROOT / "models" / "diffmidi-starter"
PACKAGES = ("diffmidi", "diffmidi_core", *sorted(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()))


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP", "VIRTUAL_ENV"))}
    # The template's folder stays as it is, and so small a model is slower on many threads.
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


def call(*command: object, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels by the name of their distribution, built as for a release, and checked as PyPI does."""
    out = tmp_path_factory.mktemp("wheels")
    release.build((ROOT, TEMPLATE, STARTER), out)
    return {path.name.split("-")[0]: path for path in out.glob("*.whl")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Path:
    """An environment with all wheels."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder)
    python = folder / "bin" / "python"
    install = ("-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    call(sys.executable, *install, *wheels.values(), cwd=folder)
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    borrowed = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return folder


def test_the_wheel_holds_every_package_its_types_and_its_licence(wheels):
    with zipfile.ZipFile(wheels["diffmidi"]) as wheel:
        names = set(wheel.namelist())
        entry_points = wheel.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    for package in PACKAGES:
        folder = ROOT / package if package == "diffmidi_core" else ROOT / "plugins" / package
        sources = {f"{package}/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.py")}
        assert sources | {f"{package}/py.typed"} <= names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == set(PACKAGES)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "diffmidi = diffmidi_core.cli:main" in entry_points
    assert "[diffmidi.schedules]" in entry_points


def test_the_templates_wheel_holds_its_own_package_alone(wheels):
    with zipfile.ZipFile(wheels["diffmidi_plugin_template"]) as wheel:
        names = wheel.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"diffmidi_plugin_template"}
    assert "diffmidi_plugin_template/py.typed" in names


def test_the_starters_wheel_holds_the_model_its_card_and_its_licence(wheels):
    with zipfile.ZipFile(wheels["diffmidi_starter"]) as wheel:
        names = set(wheel.namelist())
        metadata = wheel.read(next(name for name in names if name.endswith("METADATA"))).decode()
    folder = STARTER / "diffmidi_starter"
    files = {f"diffmidi_starter/{path.relative_to(folder).as_posix()}" for path in (folder / "model").rglob("*")}
    assert {name for name in names if ".dist-info" not in name} == files | {"diffmidi_starter/__init__.py"}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "License-Expression: CC0-1.0" in metadata


def test_the_starters_readme_is_its_card():
    card = (STARTER / "diffmidi_starter" / "model" / "README.md").read_text(encoding="utf-8")
    readme = (STARTER / "README.md").read_text(encoding="utf-8")
    assert readme.replace("](diffmidi_starter/model/", "](") == card


def test_the_starter_is_listed_and_plays_without_being_imported(installed, tmp_path):
    (model,) = json.loads(call(installed / "bin" / "diffmidi", "models", "--json", cwd=tmp_path))
    assert (model["name"], model["package"], model["license"]) == ("starter", "diffmidi-starter", "CC0-1.0")
    assert model["problem"] is None
    code = (
        "import sys; from diffmidi import Pipeline; pipeline = Pipeline.from_pretrained('starter'); "
        "print(pipeline.model.path); print(pipeline.sample(1, length='2 bars')[0].note_num() > 0); "
        "print('diffmidi_starter' in sys.modules)"
    )
    path, plays, imported = call(installed / "bin" / "python", "-c", code, cwd=tmp_path).split()
    assert Path(path).is_relative_to(installed)
    assert (plays, imported) == ("True", "False")


def test_what_runs_is_what_the_wheels_hold(installed, tmp_path):
    modules = [*PACKAGES, "diffmidi_plugin_template"]
    code = f"import json; print(json.dumps([__import__(name).__file__ for name in {modules}]))"
    for file in json.loads(call(installed / "bin" / "python", "-c", code, cwd=tmp_path)):
        assert Path(file).is_relative_to(installed)


def test_plugins_lists_the_templates_parts_beside_ours(installed, tmp_path):
    rows = json.loads(call(installed / "bin" / "diffmidi", "plugins", "--json", cwd=tmp_path))
    state = {(row["kind"], row["name"]): row["state"] for row in rows}
    assert state["schedule", "sqrt"] == "declared"
    theirs = {part: said for part, said in state.items() if part[1].startswith("diffmidi-plugin-template:")}
    assert theirs == {
        ("schedule", "diffmidi-plugin-template:sigmoid"): "declared",
        ("metric", "diffmidi-plugin-template:leap"): "declared",
        ("control", "diffmidi-plugin-template:small_leaps"): "declared",
        ("hook", "diffmidi-plugin-template:csv"): "declared",
    }


def test_the_template_passes_the_kit_and_its_own_tests(installed, tmp_path):
    said = call(installed / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", TEMPLATE, cwd=tmp_path)
    assert "passed" in said
    assert not {"failed", "error", "skipped"} & set(said.split())


def test_a_run_with_the_templates_parts(installed, tmp_path):
    data, out = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    for name in ("tune", "scale", "chords", "triplets", "overlaps", "off_grid", "inside", "extremes"):
        toy_scores()[name].dump_midi(str(data / f"{name}.mid"))
    options = (
        *(
            "tokenizer.layout=aligned",
            "tokenizer.grid=4",
            "backbone.size=tiny",
            "process.steps=20",
            "schedule.steepness=8",
        ),
        *("prepare.heldout=0.4", "train.batch_size=4", "evaluate.windows=4", "evaluate.levels=2"),
    )
    call(
        *(installed / "bin" / "diffmidi", "run", "--tokenizer", "mmm", "--backbone", "bert"),
        *("--process", "gaussian", "--schedule", "sigmoid", "--hook", "csv"),
        *("--no-metric", "all", "--metric", "bound_bpw", "--metric", "leap"),
        *(
            "--no-renderer",
            "all",
            "--renderer",
            "pianoroll",
            "--iterations",
            2,
            "--steps",
            4,
            "--samples",
            2,
            "--length",
            24,
        ),
        *(word for option in options for word in ("-o", option)),
        *("--data", data, "--out", out),
        cwd=tmp_path,
    )
    config = json.loads((out / "config.json").read_text())
    schedule = {name: config["schedule"][name] for name in ("name", "package", "options")}
    assert schedule == {"name": "sigmoid", "package": "diffmidi-plugin-template", "options": {"steepness": 8.0}}
    assert ",loss," in (out / "scalars.csv").read_text()
    assert list((out / "draws" / "1").glob("*.mid"))
    assert "leap" in (out / "draws" / "1" / "figures.json").read_text()
