"""What every kind of part promises that has options and a class: all kinds but presets and models."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

import numpy as np
import torch

from diffmidi_core.declaration import Options
from diffmidi_core.testing.component import Component, checks_of
from diffmidi_core.testing.expect import expect, refuses
from diffmidi_core.testing.surroundings import context_of


def check_options_are_described(component: Component) -> None:
    """Every option has a description and a valid default."""
    model = component.declaration.options
    silent = [name for name, field in model.model_fields.items() if not field.description]
    expect(not silent, f"no description: {', '.join(silent)}; `diffmidi plugins show` prints them")
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    expect(not required, f"no default: {', '.join(required)}; the shortest command must work")
    component.offer.options(component.offer.options({}).model_dump())  # pydantic does not check defaults by itself


def check_options_survive_json(component: Component) -> None:
    """A run's saved config gives the same options back."""
    for options in (component.offer.options({}), component.options):
        text = json.dumps(options.model_dump(mode="json"), allow_nan=False)
        expect(component.offer.options(json.loads(text)) == options, f"options change on the way through JSON: {text}")


def check_unknown_option_is_refused(component: Component) -> None:
    """A mistyped option is an error that names it, and options do not change once they are made."""
    with refuses("an option that there is not", naming="no_such_option"):
        component.offer.options({"no_such_option": 1})
    expect(component.declaration.options.model_config.get("frozen"), "options must stay frozen")


def check_builds(component: Component) -> None:
    """It can be used here, and is built from its tiny options, which it keeps."""
    problem = component.offer.problem()
    expect(problem is None, str(problem))
    part = component.build()
    kept = getattr(part, "options", component.options)
    expect(
        isinstance(kept, Options) and kept == component.options, f"its options are not those it was built with: {kept}"
    )


def check_leaves_globals_alone(component: Component) -> None:
    """Building and using it changes no global generator, default dtype or grad mode."""
    context = context_of(component.offer.kind)
    before = _globals()
    part = component.offer.build(component.options, **context)
    built = _globals()
    # Weights are drawn from torch's global generator, as torch's own modules do.
    exempt = {"torch's global generator"} if isinstance(part, torch.nn.Module) else set()
    _expect_same(before, built, "building it", exempt)
    checks_of(component.offer.kind).use(part)
    _expect_same(built, _globals(), "using it", set())


def _globals() -> dict[str, object]:
    return {
        "torch's global generator": torch.get_rng_state().numpy().tobytes(),
        "numpy's global generator": str(np.random.get_state(legacy=True)),
        "random's generator": random.getstate(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's grad mode": torch.is_grad_enabled(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
    }


def _expect_same(before: Mapping[str, object], after: Mapping[str, object], doing: str, exempt: set[str]) -> None:
    changed = [name for name in before if name not in exempt and before[name] != after[name]]
    expect(not changed, f"{doing} changes {', '.join(changed)}")
