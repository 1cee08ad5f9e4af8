"""Declarations of the parts in wrong_others.py, by the names of their classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from diffmidi.api import BackboneDeclaration, Declaration, Field, MetricDeclaration, SourceDeclaration
from diffmidi_core.registry import find

SCHEDULES = ("ByTheLargest", "BySum", "Flattens", "NeedsSeveral", "Remembers", "BetasRemember", "Exits")
TOKENIZERS = ("LosesHalf", "LosesLow", "LosesChords", "OneLength", "Inverted", "Marches")
METRICS = ("MeanOfNone", "SpreadOfOne", "RaisesInSilence", "DividesRows", "NanWindow", "ReferenceOfSilence")
HOOKS = (
    "EditsConfig",
    "TakesScalars",
    "OneRunOnly",
    "NewFileOnly",
    "NeedsLoss",
    "RoundsNumbers",
    "DividesByTotal",
    "WritesHere",
)
TOYS = {
    "WithToy": "write_own",
    "NoToy": "",
    "EmptyToy": "write_nothing",
    "SilentToy": "write_and_forget",
    "LostToy": "no",
}


class Aligned(find("tokenizer", "mmm").load().options):
    layout: Literal["aligned", "run", "paper"] = Field("aligned", description="which tokens make a note")


def __getattr__(name):
    """The declaration of a part."""
    where = f"wrong_others:{name}"
    if name in SCHEDULES or name in HOOKS:
        return Declaration("wrong", where)
    if name in TOKENIZERS:
        return replace(find("tokenizer", "mmm").load(), summary="wrong", implementation=where, options=Aligned)
    if name in METRICS:
        return MetricDeclaration("wrong", where)
    if name in TOYS:
        toy = TOYS[name] and f"wrong_others:{TOYS[name]}"
        return SourceDeclaration("its own format", "wrong_others:OwnFormat", takes=("*.own",), toy=toy)
    if name in ("NoPairs", "RefusesPairs"):
        return BackboneDeclaration("rows alone", where, pairs=False)
    if name == "HidesPairs":
        return Declaration("rows alone, and does not say so", "wrong_others:NoPairs")
    raise AttributeError(name)
