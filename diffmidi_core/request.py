"""Request: what is asked of a model. Light: a mistake in it is found before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, ValidationError

from diffmidi_core.config import filled
from diffmidi_core.data.known_labels import KnownLabel, wanted
from diffmidi_core.errors import UsageError
from diffmidi_core.fitting import check_sampler, steps_of
from diffmidi_core.layers import assignments_of
from diffmidi_core.registry import find
from diffmidi_core.sections import LARGEST_SEED, Part, SampleConfig
from diffmidi_core.wording import describe_all

BY_BOUND, BY_LABELS = "bound", "labels"
"""What ranks takes beside metrics: what the model makes of them, and which labels they have of those that were asked.
"""


class Request(SampleConfig):
    """How many pieces, how long, by which sampler in how many steps, and from which seed."""

    seed: int = Field(0, ge=0, le=LARGEST_SEED, description="everything random follows from it")
    sampler: Part
    want: dict[str, str] = Field({}, description="labels that pieces are asked to have, by name; 'each': one by one")
    guidance: float = Field(
        1.0, ge=0, le=100, allow_inf_nan=False, description="how closely labels are followed; 0: as the model learned"
    )
    rank_by: str = Field(BY_BOUND, description="what puts several takes in order: bound, labels, or a metric's name")


def requested(
    below: Request,
    flags: Mapping[str, Any],
    assignments: Sequence[str] = (),
    *,
    process: Part,
    window: int,
    by_bars: bool,
    labels: Sequence[KnownLabel] = (),
) -> Request:
    """A model's own request with flags and `-o` over it, checked whole.

    Args:
        below: how the model draws unless it is asked otherwise.
        flags: "seed", "sampler", and "sample.NAME", as `config.resolve` takes them; "want" and "guidance".
        assignments: `sampler.option=value` and `sample.name=value` texts.
        process: the model's, which the sampler must fit.
        window: tokens that the model sees at once.
        by_bars: whether its tokens are laid out in bars.
        labels: what it can be asked for.

    Raises UsageError in one sentence.
    """
    given = assignments_of(assignments)
    values = below.model_dump(mode="json")
    replaced = flags.get("sampler", below.sampler.label) not in (below.sampler.label, below.sampler.spec)
    sampler = Part(name=flags["sampler"]) if replaced else below.sampler
    if options := given.get("sampler"):
        merged = find("sampler", sampler.spec).load().options.merged(sampler.options, options)
        sampler = sampler.model_copy(update={"options": merged})
    sampler = filled("sampler", sampler)
    if replaced:
        values["steps"] = steps_of(sampler, window, by_bars=by_bars)
    own = {name.partition(".")[2]: value for name, value in flags.items() if name.startswith("sample.")}
    values |= {**own, **given.get("sample", {}), "sampler": sampler.model_dump(mode="json")}
    if "guidance" in flags and not flags.get("want"):
        raise UsageError(
            "--guidance says how closely labels are followed, and none is asked for: add --want NAME=VALUE."
        )
    values |= {name: flags[name] for name in ("seed", "guidance") if name in flags}
    values["want"] = wanted(flags.get("want", {}), labels)
    values["rank_by"] = _ranking(flags.get("rank_by", BY_BOUND), values["want"])
    try:
        request = Request.model_validate(values)
    except ValidationError as error:
        raise UsageError(describe_all(error, Request, "sample")) from None
    check_sampler(process, sampler, steps=request.steps, length=window)
    return request


def _ranking(by: str, want: Mapping[str, str]) -> str:
    """What ranks takes. Raises DiffmidiError where there is no such thing."""
    if by == BY_LABELS and not want:
        raise UsageError(f"--rank-by {BY_LABELS}: no label is asked for: add --want NAME=VALUE.")
    return by if by in (BY_BOUND, BY_LABELS) else filled("metric", Part(name=by)).label
