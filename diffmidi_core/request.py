"""Request: what is asked of a model. Light: a mistake in it is found before anything heavy is imported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, ValidationError

from diffmidi_core.classifiers import AskedClassifier
from diffmidi_core.config import filled
from diffmidi_core.data.known_labels import KnownLabel, wanted
from diffmidi_core.errors import UsageError
from diffmidi_core.fitting import check_sampler, steps_of
from diffmidi_core.layers import assignments_of
from diffmidi_core.own import spec_of
from diffmidi_core.registry import find
from diffmidi_core.sections import LARGEST_SEED, Part, SampleConfig
from diffmidi_core.wording import describe_all, printable

Chosen = Sequence[str | type[Any]] | Mapping[str | type[Any], Mapping[str, Any]]
"""Controls by their names, or by name what is asked of them: {"key": {"key": "D minor"}}. A class is its name."""

BY_BOUND, BY_LABELS = "bound", "labels"
"""What ranks takes beside metrics: what the model makes of them, and which labels they have of those that were asked.
"""


class Request(SampleConfig):
    """How many pieces, how long, by which sampler in how many steps, from which seed, and what they are to obey."""

    seed: int = Field(0, ge=0, le=LARGEST_SEED, description="everything random follows from it")
    sampler: Part
    want: dict[str, str] = Field({}, description="labels that pieces are asked to have, by name; 'each': one by one")
    guidance: float = Field(
        1.0, ge=0, le=100, allow_inf_nan=False, description="how closely labels are followed; 0: as the model learned"
    )
    controls: list[Part] = Field([], description="rules that pieces obey, or come near to")
    tries: int = Field(
        8, ge=1, description="candidates of each step and of each passage drawn anew, where a control judges music"
    )
    redraws: int = Field(
        8, ge=0, description="passages of each piece drawn anew, of which the better stay, where a control judges music"
    )
    tolerance: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="0: the candidate of the least loss is kept; above, one with odds exp(-loss / tolerance)",
    )
    rank_by: str = Field(BY_BOUND, description="what puts several takes in order: bound, labels, or a metric's name")
    classifiers: tuple[AskedClassifier, ...] = Field((), description="classifiers that are followed, one a label")

    def known(self, labels: Sequence[KnownLabel]) -> tuple[KnownLabel, ...]:
        """What can be asked of a model with these labels: a classifier takes the place of the model's own label."""
        return known_with(labels, self.classifiers)


def control_options(controls: Chosen) -> list[str]:
    """The options of controls as `-o` takes them."""
    chosen = controls.items() if isinstance(controls, Mapping) else ()
    return [
        f"control.{spec_of(name)}.{key}={json.dumps(value)}"
        for name, options in chosen
        for key, value in options.items()
    ]


def known_with(labels: Sequence[KnownLabel], classifiers: Sequence[AskedClassifier]) -> tuple[KnownLabel, ...]:
    """Labels of a model, and those that classifiers tell, each once."""
    told = {classifier.label.name: classifier.label for classifier in classifiers}
    return (*(label for label in labels if label.name not in told), *told.values())


def requested(
    below: Request,
    flags: Mapping[str, Any],
    assignments: Sequence[str] = (),
    *,
    process: Part,
    window: int,
    by_bars: bool,
    labels: Sequence[KnownLabel] = (),
    classifiers: Sequence[AskedClassifier] = (),
) -> Request:
    """A model's own request with flags and `-o` over it, checked whole.

    Args:
        below: how the model draws unless it is asked otherwise.
        flags: "seed", "sampler", and "sample.NAME", as `config.resolve` takes them; "want" and "guidance"; "control",
            names in a list.
        assignments: `sampler.option=value`, `sample.name=value` and `control.NAME.option=value` texts.
        process: the model's, which the sampler must fit.
        window: tokens that the model sees at once.
        by_bars: whether its tokens are laid out in bars.
        labels: what it can be asked for.
        classifiers: those that are to be followed.

    Raises UsageError in one sentence.
    """
    given = assignments_of(assignments)
    values = below.model_dump(mode="json")
    replaced = flags.get("sampler", below.sampler.label) not in (below.sampler.label, below.sampler.spec)
    sampler = Part(name=flags["sampler"]) if replaced else below.sampler
    if options := given.get("sampler"):
        merged = find("sampler", sampler.spec).merged(sampler.options, options)
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
    values["want"] = wanted(flags.get("want", {}), known_with(labels, classifiers))
    if not flags.get("control") and (chosen := [name for name in ("tries", "redraws") if f"sample.{name}" in flags]):
        raise UsageError(f"--{chosen[0]} is of candidates that a control chooses from: add --control NAME.")
    values["controls"] = [
        part.model_dump(mode="json") for part in _controls(flags.get("control", ()), given.get("control", {}))
    ]
    if idle := [each for each in classifiers if each.label.name not in values["want"]]:
        name = printable(idle[0].label.name)
        raise UsageError(
            f"--classifier {printable(idle[0].path)}: it tells {name}, and none is asked for: add --want {name}=VALUE."
        )
    values["classifiers"] = [each.model_dump(mode="json") for each in classifiers]
    values["rank_by"] = _ranking(flags.get("rank_by", BY_BOUND), values["want"])
    try:
        request = Request.model_validate(values)
    except ValidationError as error:
        raise UsageError(describe_all(error, Request, "sample")) from None
    check_sampler(process, sampler, steps=request.steps, length=window)
    return request


def _controls(names: Sequence[str], options: Mapping[str, Any]) -> list[Part]:
    """The chosen controls with their options. Raises UsageError."""
    chosen = {part.label: part for part in (filled("control", Part(name=name)) for name in names)}
    if len(chosen) < len(names):
        raise UsageError(f"--control {', '.join(names)}: each is chosen once; its options say what of it is asked.")
    given: dict[str, dict[str, Any]] = {}
    for dotted, value in options.items():
        name, _, key = dotted.rpartition(".")
        if name not in chosen:
            known = f"where NAME is one of {', '.join(chosen)}" if chosen else "and choose it by --control NAME"
            raise UsageError(f"-o control.{dotted}: write control.NAME.option=value, {known}.")
        given.setdefault(name, {})[key] = value
    for name, values in given.items():
        merged = find("control", chosen[name].spec).merged(chosen[name].options, values)
        chosen[name] = filled("control", chosen[name].model_copy(update={"options": merged}))
    return list(chosen.values())


def _ranking(by: str, want: Mapping[str, str]) -> str:
    """What ranks takes. Raises DiffmidiError where there is no such thing."""
    if by == BY_LABELS and not want:
        raise UsageError(f"--rank-by {BY_LABELS}: no label is asked for: add --want NAME=VALUE.")
    return by if by in (BY_BOUND, BY_LABELS) else filled("metric", Part(name=by)).label
