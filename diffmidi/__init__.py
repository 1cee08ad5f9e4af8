"""diffmidi: train, sample, steer and judge diffusion models on symbolic (MIDI) music.

    import diffmidi

    run = diffmidi.run("songs", iterations=400)          # a folder of MIDI files; the same as `diffmidi run`
    pipeline = diffmidi.Pipeline.from_pretrained(run)    # or an exported folder, or "user/name" on the Hub
    pipeline.sample(4, seed=1)[0].save("new.mid")        # a notebook shows and plays what it gives
    print(diffmidi.evaluate(run)["bound_bpw"].value)     # bits per token, at most

Importing it costs next to nothing: what a name stands for is imported when it is first asked for. Whoever writes a part
(a tokenizer, a metric, ...) imports from `diffmidi.api` and the modules below it.
"""

from typing import TYPE_CHECKING, Any

from diffmidi_core import __version__

if TYPE_CHECKING:
    from diffmidi.commands import compare, evaluate, read_midi, run, train_classifier
    from diffmidi_core.music.notes import Score
    from diffmidi_core.pipeline import Pipeline

__all__ = ["Pipeline", "Score", "__version__", "compare", "evaluate", "read_midi", "run", "train_classifier"]

_HOMES = {
    "Pipeline": "diffmidi_core.pipeline",
    "Score": "diffmidi_core.music.notes",
    "compare": "diffmidi.commands",
    "evaluate": "diffmidi.commands",
    "read_midi": "diffmidi.commands",
    "run": "diffmidi.commands",
    "train_classifier": "diffmidi.commands",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'diffmidi' has no attribute '{name}'")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
