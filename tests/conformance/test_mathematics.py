"""The kit on parts that run, train and draw, and are wrong: each is caught, and honest ones beside them never are."""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path

import pytest

from diffmidi_core.registry import Offer, find, offers
from diffmidi_core.testing.checks import process_bound
from diffmidi_core.testing.component import Component, checks_for, failures

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "uniform-noise"
sys.path[:0] = [str(HERE / "wrong"), str(EXAMPLE / "src")]
import wrong_math  # noqa: E402
import wrong_more  # noqa: E402

WRONG = {
    "schedule": wrong_more.SCHEDULES,
    "tokenizer": wrong_more.TOKENIZERS,
    "metric": wrong_more.METRICS,
    "hook": wrong_more.HOOKS,
    "source": tuple(name for name in wrong_more.TOYS if name != "WithToy"),
    "backbone": ("NoPairs", "HidesPairs"),
}
BOUND = ("check_bound_is_no_less_than_the_entropy", "check_training_lowers_the_bound")


@pytest.fixture(autouse=True)
def uniform(install, monkeypatch, tmp_path):
    """The example of another package, as pip would install it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    install(project["name"], project["entry-points"], version=project["version"])
    monkeypatch.chdir(tmp_path)  # one of the listeners writes where it stands
    for folder in (HERE / "wrong", EXAMPLE / "src"):
        monkeypatch.syspath_prepend(str(folder))


def caught(kind: str, name: str, module: str) -> dict[str, str]:
    offer = Offer(kind, name, "wrong-parts", "1.0", f"{module}:{name}")
    return {check: str(error) for check, error in failures(offer) if error is not None}


def mathematical(kind: str, name: str) -> dict[str, str]:
    """What the checks on the toy language find: those of plumbing are tested elsewhere."""
    component, found = Component(Offer(kind, name, "wrong-parts", "1.0", f"wrong_math:{name}")), {}
    for check in checks_for(kind):
        if check.__module__.endswith(("process_bound", "process_noise", "sampler_odds")):
            try:
                check(component)
            except AssertionError as error:
                found[check.__name__] = str(error)
    return found


@pytest.mark.parametrize("name", wrong_math.OF)
def test_wrong_mathematics_of_a_process_is_caught(name):
    assert mathematical("process", name)


@pytest.mark.parametrize("name", wrong_math.SAMPLERS)
def test_a_sampler_that_draws_something_else_is_caught(name):
    assert mathematical("sampler", name)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in WRONG.items() for name in names])
def test_a_wrong_part_of_another_kind_is_caught(kind, name):
    assert caught(kind, name, "wrong_more")


@pytest.mark.parametrize(("kind", "name"), [("source", "WithToy"), ("backbone", "RefusesPairs")])
def test_what_a_declaration_says_is_enough(kind, name):
    assert caught(kind, name, "wrong_more") == {}


def test_a_part_that_ends_the_program_is_caught_and_the_other_checks_go_on():
    found = dict(failures(Offer("schedule", "Exits", "wrong-parts", "1.0", "wrong_more:Exits")))
    assert "it ends the program (SystemExit: 3)" in str(found["check_noise_at_one"])
    assert found["check_summary_is_one_line"] is None


@pytest.mark.parametrize("backbone", [None, "bert", "electra", "modern"])
@pytest.mark.parametrize("process", ["masked", "gaussian", "autoregressive", "diffmidi-uniform-noise:uniform"])
def test_honest_processes_are_never_flagged_whatever_backbone_and_seed(monkeypatch, process, backbone):
    component = Component(find("process", process))
    built, trained = process_bound.toy_process_of, process_bound.trained
    for seed in (1, 2):
        monkeypatch.setattr(
            process_bound,
            "toy_process_of",
            lambda offer, options, seed=seed, **more: built(
                offer, options, **{"backbone": backbone, **more, "seed": seed}
            ),
        )
        monkeypatch.setattr(
            process_bound,
            "trained",
            lambda offer, options, many, seed=seed: trained(offer, options, many, backbone, seed),
        )
        for name in (*BOUND, "check_few_levels_agree_with_all", "check_what_is_not_seen_changes_nothing"):
            getattr(process_bound, name)(component)


def test_every_installed_family_has_a_sampler_that_is_tried():
    families = {offer.process().family for offer in offers("process")}
    assert families <= {offer.sampler().family for offer in offers("sampler")}
    assert importlib.import_module("wrong_samplers").WrongPosterior.serves.__name__ == "Uniform"
