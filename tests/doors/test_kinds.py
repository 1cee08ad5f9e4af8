"""One door a kind: what its page says is true, and its example is a part that keeps the kind's promises."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import textwrap

import pytest

from diffmidi import api
from diffmidi_core.config import resolve
from diffmidi_core.kinds import KINDS
from diffmidi_core.registry import find
from diffmidi_core.testing.component import FURTHER, checks_of, failures

KIND_NAMES = [kind.name for kind in KINDS.values() if kind.contract]
WITHOUT_TORCH = ("tokenizer", "metric", "source", "renderer", "hook")
DECLARED = """
from diffmidi.api import *

class Choices(Options):
    power: float = Field(2.0, gt=0, le=8, description="how steep")
    width: int = Field(16, ge=4, description="H")

declared = {declaration}("an example", "acme_parts:{name}", options=Choices{more})
"""
IMPORTS = """
from pathlib import Path
import numpy as np
import torch
from torch import nn
from diffmidi.api import *
from diffmidi.api.{kind} import *

"""
MORE = {"source": ', takes=("*.flat",)', "sampler": ', family="masked"', "process": ', family="masked"'}


def door(kind: str):
    return importlib.import_module(f"diffmidi.api.{kind}")


def example(kind: str) -> str:
    """The part that a door's page shows, as its author would write it."""
    (code,) = re.findall(r"(?m)^    class \w+.*(?:\n(?:    .*)?)*", door(kind).__doc__)
    return textwrap.dedent(code)


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_the_example_of_a_page_keeps_the_promises_of_its_kind(install, kind):
    name = re.search(r"class (\w+)", example(kind))[1]
    declaration = KINDS[kind].declaration.__name__
    install(
        "acme-midi",
        {KINDS[kind].group: {"example": "acme:declared"}},
        acme=DECLARED.format(declaration=declaration, name=name, more=MORE.get(kind, "")),
        acme_parts=IMPORTS.format(kind=kind) + example(kind),
    )
    wrong = {name: str(error) for name, error in failures(find(kind, "acme-midi:example")) if error is not None}
    assert wrong == {}


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_door_has_the_contract_and_names_the_checks(kind):
    module, _, contract = KINDS[kind].contract.partition(":")
    assert module == "builtins" or contract in door(kind).__all__
    named = set(re.findall(r"\bcheck_\w+", door(kind).__doc__))
    modules = (checks_of(each) for each in (kind, *FURTHER.get(kind, ())))
    assert named == {name for module in modules for name in vars(module) if name.startswith("check_")}


def test_the_page_of_models_names_the_checks():
    named = set(re.findall(r"\bcheck_\w+", door("model").__doc__))
    assert named == {name for name in vars(checks_of("model")) if name.startswith("check_")}


@pytest.mark.parametrize("kind", ["__init__", *KIND_NAMES, "model"])
def test_all_that_a_door_lets_through_is_explained(kind):
    module = api if kind == "__init__" else door(kind)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    for name in module.__all__:
        shown = getattr(module, name)
        assert not (inspect.isclass(shown) or inspect.isroutine(shown)) or inspect.getdoc(shown), name


def test_declarations_need_only_what_is_light():
    code = "import sys, diffmidi.api; print([name for name in ('torch', 'numpy', 'symusic') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_torch_is_not_needed_by_kinds_that_do_not_compute():
    """Workers that prepare data, and judging of files, are to start at once."""
    code = (
        f"import sys; from importlib import import_module as the\n[the('diffmidi.api.' + k) for k in {WITHOUT_TORCH}]"
    )
    code += "\nprint('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_preset_of_another_package_is_chosen_by_its_name(install):
    text = """
from diffmidi.api import Preset

process = {"name": "masked", "options": {"neighbours": 2}}
quick = Preset("one metric", {"process": process, "metrics": [{"name": "seam"}]})
"""
    install("acme-midi", {"diffmidi.presets": {"quick": "acme:quick"}}, acme=text)
    assert [error for _, error in failures(find("preset", "quick")) if error is not None] == []
    config = resolve(flags={"preset": "quick", "metric": ["originality"]})
    assert config.process.options["neighbours"] == 2
    assert [part.name for part in config.metrics] == ["seam", "originality"]
    assert (config.tokenizer.name, config.sampler.name, config.preset) == ("mmm", "confidence", "quick")


def test_the_page_of_all_kinds_says_which_version_each_contract_has_and_what_is_provisional():
    rows = [line.split("|")[1:-1] for line in api.__doc__.splitlines() if line.startswith("| ")][1:]
    told = {kind.split()[0]: version.strip() for kind, *_, version in rows}
    assert told == {kind.name: f"{kind.version}{', provisional' * kind.provisional}" for kind in KINDS.values()}
