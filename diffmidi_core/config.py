"""RunConfig: everything a run was asked, with every default filled in.

Layers, each over the one before: defaults, `--preset`, `--config FILE`, flags, `-o section.key=value`. The result is
checked whole, part by part, before anything heavy is imported, and saved with the run, so that it means the same next
year.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffmidi_core.errors import BrokenPluginError, UsageError
from diffmidi_core.presets import DEFAULT, PRESETS, began_from, lay_under
from diffmidi_core.registry import describe, find, offers, source_of
from diffmidi_core.sections import AugmentConfig as AugmentConfig
from diffmidi_core.sections import EvaluateConfig as EvaluateConfig
from diffmidi_core.sections import Part as Part
from diffmidi_core.sections import PrepareConfig as PrepareConfig
from diffmidi_core.sections import SampleConfig as SampleConfig
from diffmidi_core.sections import Section as Section
from diffmidi_core.sections import TrainConfig as TrainConfig

SINGLE = ("source", "tokenizer", "backbone", "schedule", "process", "sampler")
"""Kinds of which a run has one part."""
PLURAL = {"metric": "metrics", "renderer": "renderers", "hook": "hooks"}
"""Kinds of which a run has a list of parts, and the list's name."""

METRICS = (
    *("bound_bpw", "baselines", "bits_per_note", "bits_by_type", "rounding_bpw"),
    *("grammar_faults", "grammar_changes", "originality"),
    *("pitch_class_entropy", "pitch_range", "scale_consistency", "polyphony"),
    *("groove_consistency", "empty_beat_rate", "note_density", "overlap_area"),
)
"""What a run is judged by unless it says otherwise; `diffmidi plugins` lists the others."""


_DEFAULT = {kind: str(part["name"]) for kind, part in PRESETS[DEFAULT].items()}


class RunConfig(BaseModel):
    """All of a run. Unless it is named, `source` is the one that takes `data` (`folder`, most often), or `chorales`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: str | None = Field(DEFAULT, description="the named set of options that the parts began from; null: none")
    data: str | None = None
    source: Part
    tokenizer: Part = Part(name="mmm")
    backbone: Part = Part(name="bert")
    schedule: Part = Part(name=_DEFAULT["schedule"])
    process: Part = Part(name=_DEFAULT["process"])
    sampler: Part = Part(name=_DEFAULT["sampler"])
    metrics: list[Part] = [Part(name=name) for name in METRICS]
    renderers: list[Part] = [Part(name=name) for name in ("wav", "pianoroll", "waveform")]
    hooks: list[Part] = [Part(name="console"), Part(name="report")]
    length: int = Field(128, ge=1, description="words in a window, between [CLS] and [SEP]")
    seed: int = Field(0, ge=0, description="everything random follows from it")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    prepare: PrepareConfig = PrepareConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    sample: SampleConfig = SampleConfig()
    evaluate: EvaluateConfig = EvaluateConfig()


def parse_assignments(assignments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`["tokenizer.grid=24"]` to `{"tokenizer": {"grid": 24}}`. Values are JSON where they parse, else text.

    Raises UsageError for what is not `section.key=value`.
    """
    sections: dict[str, dict[str, Any]] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and section and key):
            raise UsageError(f"-o takes section.key=value, such as tokenizer.grid=24 (given: {assignment!r}).")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        sections.setdefault(section, {})[key] = value
    return sections


def resolve(
    file: Mapping[str, Any] | None = None,
    flags: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
) -> RunConfig:
    """Lay the layers over each other, check everything, fill every default in.

    Args:
        file: what a config file holds.
        flags: dotted names to values ("train.lr"), kinds to names ("backbone"), plural kinds to lists of names, and
            "hook.track.to" to an option of a part that is added where it is not chosen yet.
        assignments: `section.key=value` texts.

    Raises UsageError in one sentence: an unknown name, option or value, or parts that do not fit together.
    """
    if file is not None and not isinstance(file, Mapping):
        raise UsageError("a config file holds one JSON object.")
    tree: dict[str, Any] = copy.deepcopy(dict(file or {}))
    chosen = dict(flags or {})
    began_from(tree, chosen.get("preset"))
    if "data" in chosen and chosen["data"] != tree.get("data") and "source" not in chosen:
        tree.pop("source", None)
    process, sampler = _name_of(tree, "process"), _name_of(tree, "sampler")
    if process not in (None, chosen.get("process", process)) and "sampler" not in chosen:
        tree.pop("sampler", None)
    for name, value in chosen.items():
        _set_flag(tree, name, value)
    lay_under(tree, process=_name_of(tree, "process"), asked="preset" in chosen)
    for kind, name in find("process", _name_of(tree, "process") or _DEFAULT["process"]).load().goes_with.items():
        tree.setdefault(kind, {"name": name})
    replaced = sampler not in (None, _name_of(tree, "sampler"))
    if replaced and "sample.steps" not in chosen and isinstance(tree.get("sample"), dict):
        tree["sample"].pop("steps", None)  # they were the other sampler's
    tree.setdefault("source", {"name": source_of(str(tree["data"])) if tree.get("data") else "chorales"})
    config = _with_steps(_validated(tree))
    changes = parse_assignments(assignments)
    config = _validated(_assigned(config.model_dump(mode="json"), changes))
    config = _with_all_options(config)
    _check_families(config)
    return config


def changed_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a whole config has that is not the default: dotted names to values ("train.lr", "backbone", "data").

    Of a part that is not installed any more, every option counts as changed.
    """
    default = RunConfig(source=Part(name="chorales")).model_dump(mode="json")
    with suppress(UsageError):
        default["sample"]["steps"] = _steps_of(config["sampler"]["name"], config["length"])
    found: dict[str, Any] = {}
    for name, value in config.items():
        if name in SINGLE:
            if name != "source" and value["name"] != default[name]["name"]:
                found[name] = value["name"]
            found |= {f"{name}.{key}": option for key, option in _options_changed(name, value).items()}
        elif name in PLURAL.values():
            kind = next(kind for kind, many in PLURAL.items() if many == name)
            if [part["name"] for part in value] != [part["name"] for part in default[name]]:
                found[name] = [part["name"] for part in value]
            for part in value:
                options = _options_changed(kind, part)
                found |= {f"{kind}.{part['name']}.{key}": option for key, option in options.items()}
        elif isinstance(value, Mapping):
            known = default.get(name, {})
            found |= {f"{name}.{key}": each for key, each in value.items() if known.get(key) != each}
        elif value != default.get(name):
            found[name] = value
    return found


def _options_changed(kind: str, part: Mapping[str, Any]) -> dict[str, Any]:
    try:
        default = find(kind, part["name"]).options({}).model_dump(mode="json")
    except UsageError:
        default = {}
    return {key: value for key, value in part["options"].items() if key not in default or default[key] != value}


def _steps_of(sampler: str, length: int) -> int:
    """How many steps a sampler takes for windows of `length` words unless the run says so."""
    declaration = find("sampler", sampler).load()
    if declaration.steps is not None:
        return declaration.steps
    return length if declaration.step_per_word else SampleConfig().steps


def _with_steps(config: RunConfig) -> RunConfig:
    if "steps" in config.sample.model_fields_set:
        return config
    steps = _steps_of(config.sampler.name, config.length)
    return config.model_copy(update={"sample": config.sample.model_copy(update={"steps": steps})})


def _name_of(tree: Mapping[str, Any], kind: str) -> str | None:
    part = tree.get(kind)
    name = part.get("name") if isinstance(part, Mapping) else None
    return name if isinstance(name, str) else None


def _set_flag(tree: dict[str, Any], name: str, value: Any) -> None:
    if name in SINGLE:
        if not (isinstance(tree.get(name), dict) and tree[name].get("name") == value):
            tree[name] = {"name": value}
    elif name in PLURAL:
        known = {part["name"]: part for part in tree.get(PLURAL[name], ()) if isinstance(part, dict)}
        tree[PLURAL[name]] = [known.get(each, {"name": each}) for each in value]
    else:
        section, dot, key = name.partition(".")
        if section in PLURAL:
            _set_option_of_one(tree, section, key, value)
        elif dot:
            tree.setdefault(section, {})[key] = value
        else:
            tree[name] = value


def _set_option_of_one(tree: dict[str, Any], kind: str, dotted: str, value: Any) -> None:
    name, _, key = dotted.rpartition(".")
    default = [part.model_dump() for part in RunConfig.model_fields[PLURAL[kind]].default]
    parts = tree.setdefault(PLURAL[kind], default)
    if name not in (part["name"] for part in parts):
        parts.append({"name": name})
    for part in parts:
        if part["name"] == name:
            part["options"] = {**part.get("options", {}), key: value}


def _assigned(tree: dict[str, Any], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    sections = [
        name for name, field in RunConfig.model_fields.items() if name in tree and _is_section(field.annotation)
    ]
    for section, values in changes.items():
        if section in SINGLE:
            _assign_part(section, tree[section], values)
        elif section in PLURAL:
            for dotted, value in values.items():
                name, _, key = dotted.rpartition(".")
                parts = [part for part in tree[PLURAL[section]] if part["name"] == name]
                if not parts:
                    names = ", ".join(part["name"] for part in tree[PLURAL[section]])
                    raise UsageError(
                        f"-o {section}.{dotted}: say {section}.NAME.option=value, where NAME is one of this run's "
                        f"{PLURAL[section]}: {names}."
                    )
                _assign_part(section, parts[0], {key: value})
        elif section in sections:
            tree[section].update(values)
        else:
            raise UsageError(
                f"-o {section}.{next(iter(values))}: there is no section '{section}'. "
                f"Sections: {', '.join([*SINGLE, *PLURAL, *sections])}."
            )
    return tree


def _assign_part(kind: str, part: dict[str, Any], values: Mapping[str, Any]) -> None:
    part["options"] = find(kind, part["name"]).load().options.merged(part["options"], values)


def _is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section) and annotation is not Part


def _validated(tree: Mapping[str, Any]) -> RunConfig:
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        said = [_sentence(mistake) for mistake in error.errors(include_url=False)]
        raise UsageError(" ".join(said)) from None


def _sentence(mistake: Mapping[str, Any]) -> str:
    *above, last = mistake["loc"] or ("config",)
    model: Any = RunConfig
    for name in above:
        field = getattr(model, "model_fields", {}).get(name)
        model = field.annotation if field is not None and _is_section(field.annotation) else Part
    return describe({**mistake, "loc": (last,)}, model, ".".join(map(str, above)) or "config")


def _with_all_options(config: RunConfig) -> RunConfig:
    def full(kind: str, part: Part) -> Part:
        offer = find(kind, part.name)
        if (problem := offer.problem()) is not None:
            raise BrokenPluginError(problem)
        return Part(name=part.name, options=offer.options(part.options).model_dump(mode="json"))

    filled: dict[str, Any] = {kind: full(kind, getattr(config, kind)) for kind in SINGLE}
    filled |= {many: [full(kind, part) for part in getattr(config, many)] for kind, many in PLURAL.items()}
    return config.model_copy(update=filled)


def _check_families(config: RunConfig) -> None:
    process, sampler = find("process", config.process.name).load(), find("sampler", config.sampler.name).load()
    if process.family != sampler.family:
        usable = [offer for offer in offers("sampler") if offer.problem() is None]
        fitting = ", ".join(offer.spelling for offer in usable if offer.load().family == process.family)
        raise UsageError(
            f"sampler '{config.sampler.name}' samples {sampler.family} processes, and process "
            f"'{config.process.name}' is {process.family}: choose another --sampler ({fitting or 'none fits'})."
        )
    if sampler.step_per_word and config.sample.steps < config.length:
        raise UsageError(
            f"sampler '{config.sampler.name}' takes one step a word, and {config.sample.steps} steps are fewer than "
            f"the {config.length} words of a piece: choose --steps {config.length}, or a smaller --length."
        )
