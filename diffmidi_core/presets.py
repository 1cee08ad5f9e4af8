"""Presets: named sets of options for the parts of a run, laid under the config file, the flags and -o."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffmidi_core.errors import UsageError

DEFAULT = "best"
"""The preset of a run that names none."""

FAITHFUL: Mapping[str, Mapping[str, Any]] = {
    "process": {
        "name": "gaussian",
        "options": {
            "typed": False,
            "objective": "mse",
            "output_prior": False,
            "self_conditioning": False,
            "sphere": False,
            "noise_scale": 1.0,
            "times": "uniform",
            "neighbours": 0,
            "bound_prediction": "posterior",
        },
    },
    "schedule": {"name": "sqrt"},
    "sampler": {"name": "ddpm", "options": {"prediction": "clamp"}},
}
"""Diffusion-LM as published."""

UPGRADED: Mapping[str, Mapping[str, Any]] = {
    "process": {
        "name": "gaussian",
        "options": {
            "dim": 128,
            "typed": True,
            "objective": "cross_entropy",
            "output_prior": True,
            "self_conditioning": False,
            "sphere": True,
            "noise_scale": 1.0,
            "times": "warp",
            "neighbours": 0,
            "bound_prediction": "posterior",
        },
    },
    "schedule": {"name": "sqrt"},
    "sampler": {"name": "dpmpp"},
}
"""Diffusion-LM with the findings that came after it: the lowest bound of process gaussian in examples/ablation."""

BEST: Mapping[str, Mapping[str, Any]] = {
    "process": {"name": "masked", "options": {"typed": True, "neighbours": 8, "time": False}},
    "schedule": {"name": "loglinear"},
    "sampler": {"name": "confidence"},
}
"""The lowest held-out bound of all diffusion in the default run's time, and the sampler nearest to held-out music."""

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {"faithful": FAITHFUL, "upgraded": UPGRADED, "best": BEST}


def began_from(tree: Mapping[str, Any], asked: str | None) -> None:
    """Raises UsageError where a config `tree` that began from one preset is asked for another: it holds all options."""
    if asked is not None and tree.get("preset", asked) != asked:
        raise UsageError(
            f"--preset {asked}: this config began from {tree['preset'] or 'none'}, and its options are filled in: "
            "begin a new run without it, or set options by -o."
        )


def lay_under(tree: dict[str, Any], *, process: str | None, asked: bool) -> None:
    """Lay the preset that a config `tree` names under it, or the default one.

    Parts that are not chosen yet become the preset's, and so do options that are not set yet, where the part is the
    same. `process` is the one that was chosen, if any: under another than its own there is no preset.
    Raises UsageError where that one was `asked` for, or
    where there is none of its name.
    """
    name = tree.setdefault("preset", DEFAULT)
    if name is None:
        return
    if name not in PRESETS:
        raise UsageError(f"there is no preset '{name}'. Presets: {', '.join(PRESETS)}.")
    preset = PRESETS[name]
    if process not in (None, preset["process"]["name"]):
        if asked:
            raise UsageError(
                f"preset '{name}' sets up process {preset['process']['name']}, and process '{process}' was chosen: "
                "leave out one of the two."
            )
        tree["preset"] = None
        return
    for kind, part in preset.items():
        chosen = tree.setdefault(kind, {"name": part["name"]})
        if isinstance(chosen, dict) and chosen.get("name") == part["name"]:
            chosen["options"] = {**part.get("options", {}), **(chosen.get("options") or {})}


def departures(config: Mapping[str, Any]) -> list[str]:
    """Where a whole config departs from the preset it began from: dotted names of its parts and their options."""
    preset: Mapping[str, Mapping[str, Any]] = PRESETS.get(str(config.get("preset")), {})
    found = []
    for kind, part in preset.items():
        if config[kind]["name"] != part["name"]:
            found.append(kind)
        else:
            options = part.get("options", {})
            found += [f"{kind}.{key}" for key, value in options.items() if config[kind]["options"].get(key) != value]
    return found
