"""--profile: a trace that a person can open and a table, of a few steps, and the same weights as without."""

import json

import pytest

from diffmidi_core.train import profile


def run(trainer, *, steps, asked=True):
    made = trainer(f"of-{steps}-{asked}", f"train.iterations={steps}", "train.evaluate_every=100")
    made.session.profile = asked
    made.run()
    return made


def test_it_leaves_a_trace_of_its_steps_and_a_table(trainer):
    made = run(trainer, steps=10)
    folder = made.session.folder.path / "profile"
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    steps = {event["name"] for event in events if str(event.get("name")).startswith("ProfilerStep#")}
    assert steps == {f"ProfilerStep#{step}" for step in range(profile.WAIT + profile.WARMUP, 8)}
    table = (folder / "operators.txt").read_text()
    assert "aten::addmm" in table
    assert "4 training steps on cpu, after 4 others" in table
    assert not any("--profile" in said for said in made.session.hooks.warnings)


@pytest.mark.parametrize("steps", [3, 6])
def test_too_few_steps_are_said(trainer, steps):
    made = run(trainer, steps=steps)
    assert any("takes 8 training steps, and there were fewer" in said for said in made.session.hooks.warnings)
    assert not (made.session.folder.path / "profile").exists()


def test_it_changes_nothing_and_is_off_by_default(trainer):
    profiled, plain = run(trainer, steps=9), run(trainer, steps=9, asked=False)
    assert not (plain.session.folder.path / "profile").exists()
    for name, value in plain.process.state_dict().items():
        assert (value == profiled.process.state_dict()[name]).all(), name
