"""Opening a `tokenizer.json` that MidiTok saved, without letting the file set anything but a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import miditok

from diffmidi.api import DiffmidiError, UsageError
from diffmidi_tokenizers.declarations import MiditokOptions, pertok_fault

_FILE = {"config", "tokenization", "miditok_version", "symusic_version", "hf_tokenizers_version"} | {
    "_vocab_base",
    "_model",
    "_vocab_base_byte_to_token",
}
_UNSUPPORTED = (
    "use_programs",
    "use_tempos",
    "use_key_signatures",
    "use_sustain_pedals",
    "use_pitch_bends",
    "use_control_changes",
    "use_pitch_intervals",
)
_FORCED = {"MMM": ("use_programs",), "BEAT": ("use_programs",)}
"""What MidiTok sets by itself; one piano has one program."""
_UNSUPPORTED_BY = {"PerTok": ("use_chords", "use_rests")}


def opened(path: Path) -> miditok.MusicTokenizer:
    """A tokenizer from the file that MidiTok's `save` wrote. Raises UsageError where it is no such file."""
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kind, config = said["tokenization"], said["config"]
    except OSError as error:
        raise UsageError(f"tokenizer.pretrained: {path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"tokenizer.pretrained: {path} is not a tokenizer.json that MidiTok's `save` writes."
        ) from None
    # MidiTok sets whatever else the file holds as attributes of its own.
    if more := sorted(set(said) - _FILE):
        raise UsageError(f"tokenizer.pretrained: {path} holds more than MidiTok's `save` writes: {', '.join(more)}.")
    if kind not in MiditokOptions.types():
        raise UsageError(
            f"tokenizer.pretrained: {path} holds a tokenizer of MidiTok's {kind}; "
            f"those that can be opened: {', '.join(MiditokOptions.types())}."
        )
    unsupported = [*_UNSUPPORTED, *_UNSUPPORTED_BY.get(kind, ())]
    if asks := [name for name in unsupported if config.get(name) and name not in _FORCED.get(kind, ())]:
        raise UsageError(
            f"tokenizer.pretrained: {path} was made with {', '.join(asks)}, but only a piano's notes are words here: "
            "make one without."
        )
    if kind == "PerTok" and (fault := _pertok_fault(config)):
        raise UsageError(f"tokenizer.pretrained: {path}: {fault}.")
    try:
        learned = json.loads(said["_model"])["model"]["type"] if "_model" in said else "BPE"
        if learned != "BPE":
            raise UsageError(
                f"tokenizer.pretrained: {path} was trained as {learned}, which leaves words that it never saw without "
                "an id: train it as BPE."
            )
        return getattr(miditok, kind)(params=path)
    except UsageError:
        raise
    except Exception as error:
        raise DiffmidiError(
            f"tokenizer.pretrained: MidiTok cannot open {path} ({type(error).__name__}: {str(error)[:200]})."
        ) from error


def _pertok_fault(config: dict[str, Any]) -> str:
    try:
        return pertok_fault(config["beat_res"], config["additional_params"])
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        return f"PerTok's options cannot be read in it ({type(error).__name__}: {error})"
