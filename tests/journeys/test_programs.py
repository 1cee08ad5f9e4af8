"""Programs as users write them from the documentation alone, run as they stand in `programs/`."""

import ast
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import diffmidi as door
from diffmidi.api import DiffmidiError
from diffmidi.api.metric import notes_of

from .conftest import drawn

PROGRAMS = Path(__file__).parent / "programs"
D_MINOR = {2, 4, 5, 7, 9, 10, 0, 1}
BAR = 4 * 480


@pytest.fixture
def desk(tmp_path, music, monkeypatch) -> Path:
    """The folder that a user works in: songs, and settings under which a run takes a second."""
    monkeypatch.chdir(tmp_path)
    Path("songs").symlink_to(music)
    shutil.copy(PROGRAMS / "quick.json", tmp_path)
    return tmp_path


@pytest.fixture
def program(desk, monkeypatch, capfd):
    """Runs one of them there; what it printed."""

    def run(name, *words):
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        runpy.run_path(str(PROGRAMS / name), run_name="__main__")
        return capfd.readouterr().out

    return run


def test_they_import_what_is_promised_alone():
    for file in PROGRAMS.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ours = [name for name in names if name.startswith("diffmidi")]
            assert all(name == "diffmidi" or name.startswith("diffmidi.api") for name in ours), file.name


def test_a_schedule_in_ten_lines(program):
    lines = [line for line in (PROGRAMS / "schedule.py").read_text().splitlines() if line.strip()]
    assert len(lines) <= 10
    program("schedule.py")
    part = json.loads(Path("runs/slope/config.json").read_text())["schedule"]
    assert (part["package"], part["name"]) == ("__main__", "Slope")
    assert len(notes_of(door.read_midi("new.mid")))
    with pytest.raises(DiffmidiError, match="'Slope' was written in the program or notebook that chose it"):
        door.Pipeline.from_pretrained("runs/slope")


def test_a_metric_from_a_function(program, mine):
    pieces = [door.read_midi(mine / f"draws/1/00{number}.mid") for number in (1, 2)]
    expected = np.mean([np.abs(np.diff(notes_of(piece).pitch)).mean() for piece in pieces])
    said = program("metric.py", mine)
    (value,) = re.findall(r"^([\d.]+) semitones, and [\d.]+ in test music$", said, re.MULTILINE)
    assert float(value) == pytest.approx(expected, rel=0.1)


def test_a_notebook(desk, monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setenv("IPYTHONDIR", str(desk / "ipython"))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # which a shell takes the place of
    shell = InteractiveShell.instance()
    shown = []
    for cell in (PROGRAMS / "notebook.py").read_text().split("# %%"):
        done = shell.run_cell(f"#{cell}")
        assert done.success
        shown.append(shell.display_formatter.format(done.result)[0].get("text/html", ""))
    InteractiveShell.clear_instance()
    assert [(html.count("<audio"), html.count("<svg")) for html in shown[-2:]] == [(2, 2), (0, 1)]
    assert len(notes_of(door.read_midi("kept.mid")))


def test_a_sweep_over_two_options_and_three_seeds(program):
    said = program("sweep.py")
    head, *rows = Path("table.md").read_text().splitlines()
    assert head.count("(n=3)") == 4
    told = {row.split("|")[1].strip(): row.split("|")[2:-1] for row in rows if row.startswith("|")}
    assert [each.strip() for each in told["backbone.layers"]] == ["1", "1", "2", "2"]
    (bound,) = (cells for name, cells in told.items() if name.startswith("bound"))
    assert all("(n=3)" in cell for cell in bound)
    assert re.search(r"the best of 12 runs is (\S+)-\d, one of \1\n", said)


def test_a_table_of_music(program):
    program("parquet.py")
    (run,) = Path("runs").iterdir()
    assert json.loads((run / "config.json").read_text())["source"]["name"] == "parquet"
    assert len(drawn(run)) == 1


def test_a_daw_gets_the_new_notes_of_a_bar(program, mine, music):
    shutil.copy(music / "piece 1.mid", "song.mid")
    program("daw.py", mine, "song.mid", "3", "clip.mid")
    onset = notes_of(door.read_midi("clip.mid")).onset
    assert len(onset)
    assert onset.min() >= 2 * BAR
    assert onset.max() < 3 * BAR
    with pytest.raises(SystemExit, match=r"^diffmidi: .*bar"):
        program("daw.py", mine, "song.mid", "99", "clip.mid")


def test_a_rule(program, mine):
    program("rule.py", mine)
    for number in (1, 2):
        assert {*(notes_of(door.read_midi(f"ruled {number}.mid")).pitch % 12).tolist()} <= D_MINOR


def test_a_classifier(program, mine):
    said = program("classifier.py", mine)
    assert "How often it tells register" in said
    assert all(len(notes_of(door.read_midi(f"high {number}.mid"))) for number in (1, 2))


def test_a_folder_of_another_system(program):
    Path("theirs").mkdir()
    for file in sorted(Path("songs").glob("*.mid"))[:4]:
        door.read_midi(file).shift_pitch(1).dump_midi(Path("theirs") / file.name)
    said = program("other_system.py")
    (ratio,) = re.findall(r"^pitch_range: ([\d.]+) times that of songs$", said, re.MULTILINE)
    assert 0.5 < float(ratio) < 2


@pytest.mark.slow
def test_two_gpus_by_a_config(desk):
    """In processes of their own, as only launchers start them; on CPUs."""
    shutil.copy(Path(__file__).parents[2] / "examples/multi_gpu/ddp.yaml", desk)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(["bash", "-e", PROGRAMS / "two_gpus.sh"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(Path("runs/two/run.json").read_text())["segments"][0]["processes"] == 2
    assert len(drawn("runs/two")) == 1


def test_a_package_that_ships_a_model(desk, diffmidi, mine, install):
    """The files that `help("diffmidi.api.model")` names, installed as pip does it."""
    project = tomllib.loads((PROGRAMS / "acme_songs.toml").read_text())["project"]
    site = install(project["name"], project["entry-points"], version=project["version"])
    (site / "acme_songs").mkdir()
    (site / "acme_songs" / "__init__.py").touch()
    to = site / "acme_songs" / "model"
    said = diffmidi("export", mine, "--to", to, "--license", "cc0-1.0", "--name", "songs-of-acme", "--half")
    assert said.code == 0, said.err
    assert "songs-of-acme" in diffmidi("models").out
    assert diffmidi("plugins", "show", "model", "songs-of-acme").code == 0
    assert door.Pipeline.from_pretrained("songs-of-acme").sample(1, steps=3)[0].note_num()


def test_what_is_wrong_is_one_sentence_to_catch(desk, mine):
    class Hidden:
        pass

    for wrong, told in (
        (lambda: door.compare([mine, "nowhere"]), "there is no run in nowhere"),
        (lambda: door.compare([]), "Missing argument"),
        (lambda: door.train_classifier(mine), "--label NAME says what"),
        (lambda: door.run("songs", schedule=Hidden), "class Hidden is written inside of"),
        (lambda: door.Pipeline.from_pretrained(mine).sample(controls=[Hidden]), "class Hidden is written inside of"),
    ):
        with pytest.raises(DiffmidiError, match=re.escape(told)) as caught:
            wrong()
        assert "\n" not in str(caught.value)
