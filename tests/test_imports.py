"""Help and every mistake in a command are answered before anything heavy is imported or anything is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from diffmidi_core.cli import COMMANDS
from diffmidi_core.presets import DEFAULT
from diffmidi_core.registry import offers

HEAVY = ("torch", "transformers", "numpy", "symusic", "datasets", "accelerate", "matplotlib", "music21")
RUN = """
import json, sys
sys.argv[0] = "diffmidi"
from diffmidi_core.cli import main
try:
    main()
except SystemExit as left:
    code = left.code
print()
print(json.dumps([code, [name for name in sys.argv.pop().split(",") if name in sys.modules]]))
"""


def answer(tmp_path, *arguments: str, **environment: str) -> tuple[int, list[str], str]:
    """Exit code, heavy modules that were imported, and what was said."""
    code = RUN.replace("sys.argv.pop()", repr(",".join(HEAVY)))
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    left, heavy = json.loads(done.stdout.splitlines()[-1])
    return left, heavy, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), *((name, "--help") for name in COMMANDS), ("plugins", "show", "backbone", "bert")],
    ids=" ".join,
)
def test_help_is_light(tmp_path, arguments):
    code, heavy, said = answer(tmp_path, *arguments)
    assert (code, heavy) == (0, [])
    assert "Traceback" not in said


def test_completing_is_light(tmp_path):
    """What a shell asks when the tab key is pressed."""
    asked = {"COMP_WORDS": "diffmidi run --tokenizer m", "COMP_CWORD": "3", "_DIFFMIDI_COMPLETE": "bash_complete"}
    code, heavy, said = answer(tmp_path, **asked)
    assert (code, heavy) == (0, [])
    assert said.split()[:2] == ["plain,miditok", "plain,mmm"]


def test_help_names_every_preset_and_which_is_the_default(tmp_path):
    _, _, said = answer(tmp_path, "run", "--help")
    words = " ".join(said.partition("--preset")[2].partition("--length")[0].split())
    assert all(f"{name} (" in words for name in (offer.spelling for offer in offers("preset")))
    assert f"(default {DEFAULT})." in words


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("trian",), "No such command 'trian'"),
        (("run", "--iteration", "3"), "No such option"),
        (("run", "--iterations", "many"), "'many' is not a valid integer"),
        (("run", "--iterations", "-1"), "train.iterations: input should be greater than or equal to 1"),
        (("run", "--tokenizer", "mnm"), "no tokenizer 'mnm' is installed. Did you mean 'mmm'?"),
        (("run", "--backbone", "brt"), "no backbone 'brt' is installed. Did you mean 'bert'?"),
        (("run", "--metric", "bound"), "no metric 'bound' is installed."),
        (("run", "-o", "tokenizer.gird=3"), "there is no option tokenizer.gird. Did you mean 'grid'?"),
        (("run", "-o", "tokenizer.grid=0"), "tokenizer.grid: a grid is a whole number of steps in a quarter note"),
        (("run", "-o", "backbone.heads=3"), "backbone: heads (3) must divide width (128)"),
        (("run", "-o", "bckbone.size=tiny"), "there is no section 'bckbone'"),
        (("run", "-o", "backbone"), "-o takes section.key=value"),
        (("run", "--config", "nothing.json"), "there is no nothing.json"),
        (("plugins", "show", "backbone", "brt"), "Did you mean 'bert'?"),
        (("compare", "nowhere"), "there is no run in nowhere"),
        (("plugins", "check", "difmidi"), "Did you mean 'diffmidi'?"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_a_mistake_is_light_and_one_sentence(tmp_path, arguments, sentence):
    code, heavy, said = answer(tmp_path, *arguments)
    assert sentence in said
    assert "Traceback" not in said
    assert code in (1, 2)
    assert heavy == []
    assert list(tmp_path.iterdir()) == []
