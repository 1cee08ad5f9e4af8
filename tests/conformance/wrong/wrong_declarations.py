"""Declarations of parts that each break one promise, for the tests of the kit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from diffmidi_core.api import Declaration, Field, Options
from diffmidi_core.registry import find


class Undescribed(Options):
    strength: int = 1


class Unfrozen(Options):
    model_config = {"frozen": False, "extra": "ignore"}  # noqa: RUF012

    strength: int = Field(1, description="how strong")


def _declare(where: str, summary: str = "breaks one promise", like: tuple[str, str] | None = None, **more: Any) -> Any:
    declared = Declaration(summary=summary, implementation=f"wrong_parts:{where}", **more)
    return replace(find(*like).load(), implementation=declared.implementation) if like else declared


rising = _declare("Rising")
too_clean = _declare("TooClean")
float32 = _declare("Float32")
two_lines = _declare("Falling", summary="one\ntwo")
undescribed = _declare("Falling", options=Undescribed)
unfrozen = _declare("Falling", options=Unfrozen)
seeds_the_world = _declare("SeedsTheWorld")
abstract = _declare("Abstract")

partial_decode = _declare("PartialDecode", like=("tokenizer", "mmm"))
forgetful = _declare("Forgetful", like=("tokenizer", "mmm"))
untimely = _declare("Untimely", like=("tokenizer", "mmm"))
salted = _declare("Salted", like=("tokenizer", "mmm"))
no_boundary = _declare("NoBoundary", like=("tokenizer", "mmm"))
mistaken = _declare("Mistaken", like=("tokenizer", "mmm"))
off_key = _declare("OffKey", like=("tokenizer", "mmm"))

peeks = _declare("Peeks")
idle = _declare("Idle")

learns_padding = _declare("LearnsPadding", like=("process", "gaussian"))
own_step = _declare("OwnStep", like=("process", "gaussian"))
global_noise = _declare("GlobalNoise", like=("process", "gaussian"))

overwrites = _declare("Overwrites", family="gaussian")
homeless = _declare("Overwrites", family="no such family")
chooses_freely = _declare("ChoosesFreely", family="gaussian")
mixes_rows = _declare("MixesRows", family="gaussian")

last_row = _declare("LastRow")
counts_tokens = _declare("CountsTokens")
twins = _declare("Twins")
in_place = _declare("InPlace")
raises = _declare("Raises")
deaf = _declare("Deaf")
