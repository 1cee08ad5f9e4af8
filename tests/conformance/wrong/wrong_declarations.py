"""Declarations of parts that each break one promise, for the tests of the kit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from diffmidi.api import (
    ControlDeclaration,
    Declaration,
    Field,
    MetricDeclaration,
    Options,
    Preset,
    SamplerDeclaration,
    SourceDeclaration,
)
from diffmidi_core.registry import find


class Undescribed(Options):
    strength: int = 1


class Aligned(find("tokenizer", "mmm").load().options):
    layout: Literal["aligned", "run", "paper"] = Field("aligned", description="which tokens make a note")


class Unfrozen(Options):
    model_config = {"frozen": False, "extra": "ignore"}  # noqa: RUF012

    strength: int = Field(1, description="how strong")


def _declare(
    where: str,
    summary: str = "breaks one promise",
    like: tuple[str, str] | None = None,
    module: str = "wrong_parts",
    **more: Any,
) -> Any:
    declared = Declaration(summary=summary, implementation=f"{module}:{where}", **more)
    changed = {"implementation": declared.implementation, **more}
    return replace(find(*like).load(), **changed) if like else declared


def _tokenizer(where: str) -> Any:
    return _declare(where, like=("tokenizer", "mmm"), module="wrong_tokenizers", options=Aligned)


rising = _declare("Rising")
too_clean = _declare("TooClean")
float32 = _declare("Float32")
two_lines = _declare("Falling", summary="one\ntwo")
undescribed = _declare("Falling", options=Undescribed)
unfrozen = _declare("Falling", options=Unfrozen)
seeds_the_world = _declare("SeedsTheWorld")
abstract = _declare("Abstract")

partial_decode = _tokenizer("PartialDecode")
forgetful = _tokenizer("Forgetful")
untimely = _tokenizer("Untimely")
salted = _tokenizer("Salted")
no_boundary = _tokenizer("NoBoundary")
mistaken = _tokenizer("Mistaken")
off_key = _tokenizer("OffKey")

peeks = _declare("Peeks")
idle = _declare("Idle")
counts = _declare("Counts")

learns_padding = _declare("LearnsPadding", like=("process", "gaussian"))
own_step = _declare("OwnStep", like=("process", "gaussian"))
global_noise = _declare("GlobalNoise", like=("process", "gaussian"))

overwrites = SamplerDeclaration("wrong", "wrong_parts:Overwrites", family="gaussian")
homeless = SamplerDeclaration("wrong", "wrong_parts:Overwrites", family="no such family")
chooses_freely = SamplerDeclaration("wrong", "wrong_parts:ChoosesFreely", family="gaussian")
mixes_rows = SamplerDeclaration("wrong", "wrong_parts:MixesRows", family="gaussian")

widens = ControlDeclaration("wrong", "wrong_parts:Widens")
relative = ControlDeclaration("wrong", "wrong_parts:Relative")
idle_rule = ControlDeclaration("wrong", "wrong_parts:IdleRule")
first_row = ControlDeclaration("wrong", "wrong_parts:FirstRow")

last_row = MetricDeclaration("wrong", "wrong_parts:LastRow")
counts_tokens = MetricDeclaration("wrong", "wrong_parts:CountsTokens")
twins = SourceDeclaration("wrong", "wrong_parts:Twins")
in_place = _declare("InPlace")
raises = _declare("Raises")
deaf = _declare("Deaf")

of_data = Preset("wrong", {"process": {"name": "masked"}, "source": {"name": "chorales"}})
of_nobody = Preset("wrong", {"process": {"name": "msked"}})
misfit = Preset("wrong", {"process": {"name": "masked"}, "sampler": {"name": "ddim"}})
