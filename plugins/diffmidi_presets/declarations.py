"""The built-in presets. `best` is the default: what other presets leave out is as it has it, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffmidi.api import Preset

METRICS = (
    *("bound_bpw", "baselines", "bits_per_note", "bits_by_type", "rounding_bpw", "exact_bits"),
    *("grammar_faults", "grammar_changes", "originality", "obedience"),
    *("pitch_class_entropy", "pitch_range", "scale_consistency", "polyphony"),
    *("groove_consistency", "empty_beat_rate", "note_density", "overlap_area"),
    *("onsets_on_beats", "notes_per_bar", "key_clarity"),
)
"""What a run is judged by unless it says otherwise; `diffmidi plugins` lists the others."""

best = Preset(
    # Of bars, the lowest bound in the default run's time (benchmarks/README.md).
    summary="masked diffusion, the lowest bound",
    parts={
        "tokenizer": {"name": "mmm"},
        "backbone": {"name": "modern", "options": {"dropout": 0.0}},
        "process": {
            "name": "masked",
            "options": {"typed": True, "neighbours": 3, "order": "bars", "given": 0.25, "time": False},
        },
        "schedule": {"name": "loglinear"},
        "sampler": {"name": "confidence"},
        "metrics": [{"name": name} for name in METRICS],
        "renderers": [{"name": "wav"}, {"name": "pianoroll"}, {"name": "waveform"}],
        "hooks": [{"name": "console"}, {"name": "report"}],
    },
)

ALIGNED = {"name": "mmm", "options": {"layout": "aligned"}}
"""Normal noise needs to know which type of token stands where, of every window, before there is one."""
BERT = {"name": "bert", "options": {"size": "small"}}
TRAINED: Mapping[str, Any] = {"iterations": 400, "batch_size": 32, "lr": 1e-3, "warmup": 20}
"""How the figures of examples/ablation were trained."""

upgraded = Preset(
    # What learns music with process gaussian, and how long that takes: examples/ablation.
    summary="Diffusion-LM and what came after it",
    parts={
        "tokenizer": ALIGNED,
        "backbone": {"name": "modern", "options": {"dropout": 0.0}},
        "process": {
            "name": "gaussian",
            "options": {
                "dim": 32,
                "typed": True,
                "objective": "cross_entropy",
                "output_prior": True,
                "seen": "posterior",
                "self_conditioning": False,
                "sphere": True,
                "noise_scale": 1.0,
                "times": "warp",
                "neighbours": 3,
                "bound_prediction": "posterior",
                "notes": True,
            },
        },
        "schedule": {"name": "sqrt"},
        "sampler": {"name": "dpmpp"},
        "train": {"iterations": 1800, "batch_size": 16, "lr": 2e-3, "warmup": 30},
    },
)

faithful = Preset(
    summary="Diffusion-LM as published",
    parts={
        "tokenizer": ALIGNED,
        "backbone": BERT,
        "process": {
            "name": "gaussian",
            "options": {
                "typed": False,
                "objective": "mse",
                "output_prior": False,
                "seen": "noisy",
                "self_conditioning": False,
                "sphere": False,
                "noise_scale": 1.0,
                "times": "uniform",
                "neighbours": 0,
                "bound_prediction": "posterior",
                "notes": False,
            },
        },
        "schedule": {"name": "sqrt"},
        "sampler": {"name": "ddpm", "options": {"prediction": "clamp"}},
        "train": TRAINED,
    },
)
