"""What run.json holds: what happened to a run, as opposed to what was asked of it. Light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import read_json
from diffmidi_core.wording import first_mistake


class _Facts(BaseModel):
    """Others than these may stand beside them."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class _Computed(_Facts):
    versions: dict[str, str] | None = None
    python: str | None = None
    machine: str | None = None
    device: str | None = None
    processes: int | None = None
    precision: str | None = None
    peak_memory_mb: float | None = None


class _Segment(_Computed):
    since: int | None = Field(None, alias="from")
    to: int | None = None
    changed: dict[str, tuple[Any, Any]] | None = None
    windows: int | None = None


class _Data(_Facts):
    found: int | None = None
    kept: int | None = None
    heldout: int | None = None
    test: int | None = None
    notes: int | None = None
    words: int | None = None
    tokenizer: str | None = None


class _Run(_Computed):
    segments: list[_Segment] | None = None
    parameters: int | None = None
    iterations: int | None = None
    epochs: float | None = None
    transpose: int | None = None
    data: _Data | None = None
    began: dict[str, Any] | None = None


def read_facts(file: Path) -> dict[str, Any]:
    """The content of run.json; nothing where the file is not there yet.

    Raises DiffmidiError in one sentence where it cannot be read, or was not written by diffmidi.
    """
    facts = read_json(file) if file.exists() else {}
    if not isinstance(facts, dict):
        raise DiffmidiError(f"{file} does not hold one JSON object: it was not written by diffmidi.")
    try:
        _Run.model_validate(facts)
    except ValidationError as error:
        raise DiffmidiError(f"{file} was not written by diffmidi ({first_mistake(error)}).") from None
    return {name: value for name, value in facts.items() if value is not None}
