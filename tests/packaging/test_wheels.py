"""What people install: the wheels of diffmidi, of the starter, and of what `diffmidi plugins new` writes, not editable.

They are in an environment of their own, which borrows the dependencies of this one through a .pth file. Python does not
read the .pth files of a folder that it was pointed to by one, so the editable installs of this repository stay out of
it; a test makes sure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from diffmidi_core.kinds import KINDS

from .scripts import ROOT, release

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


PARTS = {
    "tokenizer": "pitches",
    "backbone": "mean",
    "schedule": "sigmoid",
    "process": "small",
    "sampler": "shuffled",
    "control": "small_leaps",
    "metric": "leap",
    "source": "melodies",
    "renderer": "text",
    "hook": "csv",
    "preset": "quick",
}
"""A part of each kind but a model, in the package acme-parts; acme-songs has a model alone."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Our own wheels by the name of their distribution, built as for a release, and checked as PyPI does."""
    out = tmp_path_factory.mktemp("wheels")
    release.build((ROOT, STARTER), out)
    return {path.name.split("-")[0]: path for path in out.glob("*.whl")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Path:
    """An environment with these wheels."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder)
    python = folder / "bin" / "python"
    install(folder, *wheels.values())
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    borrowed = dict.fromkeys(path for path in sys.path if Path(path).name in ("site-packages", "dist-packages"))
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return folder


def install(environment: Path, *wheels: Path) -> None:
    pip = ("-m", "pip", "--python", environment / "bin" / "python", "install", "--quiet", "--no-deps", "--no-index")
    call(sys.executable, *pip, *wheels, cwd=environment)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Path:
    """The folders acme-parts and acme-songs, written by the installed program; their wheels are installed too."""
    into = tmp_path_factory.mktemp("written")
    new, out = (installed / "bin" / "diffmidi", "plugins", "new"), into / "dist"
    call(*new, "acme-parts", *(f"--kind={kind}={part}" for kind, part in PARTS.items()), cwd=into)
    call(*new, "acme-songs", "--kind=model=songs", cwd=into)
    out.mkdir()
    release.build((into / "acme-parts", into / "acme-songs"), out)
    install(installed, *out.glob("*.whl"))
    return into


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


def test_the_wheels_of_what_is_written_hold_their_own_package_alone(written):
    for package in ("acme_parts", "acme_songs"):
        (file,) = (written / "dist").glob(f"{package}-*.whl")
        with zipfile.ZipFile(file) as wheel:
            names = wheel.namelist()
        assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {package}
        assert f"{package}/py.typed" in names
    assert "acme_songs/model/model.safetensors" in names


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
    models = json.loads(call(installed / "bin" / "diffmidi", "models", "--json", cwd=tmp_path))
    (model,) = (each for each in models if each["name"] == "starter")
    assert (model["package"], model["license"]) == ("diffmidi-starter", "CC0-1.0")
    assert model["problem"] is None
    code = (
        "import sys; from diffmidi import Pipeline; pipeline = Pipeline.from_pretrained('starter'); "
        "print(pipeline.model.path); print(pipeline.sample(1, length='2 bars')[0].note_num() > 0); "
        "print('diffmidi_starter' in sys.modules)"
    )
    path, plays, imported = call(installed / "bin" / "python", "-c", code, cwd=tmp_path).split()
    assert Path(path).is_relative_to(installed)
    assert (plays, imported) == ("True", "False")


def test_what_runs_is_what_the_wheels_hold(installed, written, tmp_path):
    modules = [*PACKAGES, "acme_parts", "acme_songs"]
    code = f"import json; print(json.dumps([__import__(name).__file__ for name in {modules}]))"
    for file in json.loads(call(installed / "bin" / "python", "-c", code, cwd=tmp_path)):
        assert Path(file).is_relative_to(installed)


def test_plugins_lists_a_part_of_every_kind_beside_ours(installed, written, tmp_path):
    assert {*PARTS, "model"} == {*KINDS}
    rows = json.loads(call(installed / "bin" / "diffmidi", "plugins", "--json", cwd=tmp_path))
    state = {(row["kind"], row["name"]): row["state"] for row in rows}
    assert state["schedule", "sqrt"] == "declared"
    theirs = {part: state for part, state in state.items() if part[1].startswith("acme-")}
    expected = {(kind, f"acme-parts:{part}"): "declared" for kind, part in PARTS.items()}
    assert theirs == expected | {("model", "acme-songs:songs"): "declared"}


def test_parts_of_every_kind_pass_the_kit_and_a_run_by_their_own_tests(installed, written, tmp_path):
    python = installed / "bin" / "python"
    said = call(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", written / "acme-parts", cwd=tmp_path)
    assert "passed" in said
    assert not {"failed", "error", "errors", "skipped"} & set(said.split())


def test_plugins_check_passes_what_is_written(installed, written, tmp_path):
    said = call(installed / "bin" / "diffmidi", "plugins", "check", "acme-songs", cwd=tmp_path)
    assert "FAIL" not in said
    assert said.rstrip().endswith("checks passed.")
