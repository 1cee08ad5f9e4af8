"""RunConfig: everything a run was asked, with every default filled in.

Layers, each over the one before: defaults, `--preset`, `--config FILE` (or the run that another begins from), flags,
`-o section.key=value`. The result is checked part by part, before anything heavy is imported, and saved with the run,
so that it means the same next year; `origin` says from which layer a value came.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from os.path import expanduser
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from diffmidi_core.classifiers import ClassifierOf
from diffmidi_core.declaration import WINDOW
from diffmidi_core.errors import BrokenPluginError, UsageError
from diffmidi_core.fitting import check_backbone, check_kept, check_process, check_sampler, steps_of, windows_of
from diffmidi_core.layers import Layers, assignments_of, one_end, taken_unnamed
from diffmidi_core.presets import DEFAULT, Parts, began_from, chosen_parts, default_names, lay_under
from diffmidi_core.registry import find, going_with, source_of
from diffmidi_core.sections import BARS, BATCH, LARGEST_SEED, LONG, flagged
from diffmidi_core.sections import AugmentConfig as AugmentConfig
from diffmidi_core.sections import ConditionConfig as ConditionConfig
from diffmidi_core.sections import EvaluateConfig as EvaluateConfig
from diffmidi_core.sections import Part as Part
from diffmidi_core.sections import PrepareConfig as PrepareConfig
from diffmidi_core.sections import SampleConfig as SampleConfig
from diffmidi_core.sections import Section as Section
from diffmidi_core.sections import TrainConfig as TrainConfig
from diffmidi_core.wording import cut, describe

SINGLE = ("source", "tokenizer", "backbone", "schedule", "process", "sampler")
"""Kinds of which a run has one part."""
PLURAL = {"metric": "metrics", "renderer": "renderers", "hook": "hooks"}
"""Kinds of which a run has a list of parts, and the list's name."""
KINDS = (*SINGLE, *PLURAL)


class RunConfig(BaseModel):
    """All of a run. `resolve` fills in what is not named: the source that takes `data`, the preset's other parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: str | None = flagged(
        "--preset",
        DEFAULT,
        description="the named set of parts and options that a run begins from",
    )
    data: str | None = flagged(
        "--data", None, description="folder of MIDI files, FILE.parquet or hub:NAME; none: music21's Bach chorales"
    )
    source: Part
    tokenizer: Part
    backbone: Part
    schedule: Part
    process: Part
    sampler: Part
    metrics: list[Part]
    renderers: list[Part]
    hooks: list[Part]
    length: int = flagged(
        "--length",
        WINDOW,
        shown=False,
        ge=1,
        description="tokens in a window, between [CLS] and [SEP]; by default as many as suit the tokenizer",
    )
    bars: int = flagged(
        "--window-bars", BARS, ge=1, description="bars in a window at most, for tokens that are laid out in bars"
    )
    seed: int = flagged("--seed", 0, ge=0, le=LARGEST_SEED, description="everything random follows from it")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = flagged(
        "--precision", "auto", description="arithmetic; auto: the fastest that the machine has"
    )
    prepare: PrepareConfig = PrepareConfig()
    augment: AugmentConfig = AugmentConfig()
    condition: ConditionConfig = ConditionConfig()
    train: TrainConfig = TrainConfig()
    sample: SampleConfig = SampleConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    classifier: ClassifierOf | None = Field(None, description="what the run is a classifier of; none: it is a model")
    origin: dict[str, str] = Field({}, description="dotted name to the layer of a value that is not the default")

    @field_validator("data")
    @classmethod
    def _at_home(cls, data: str | None) -> str | None:
        return None if data is None else expanduser(data)


SECTIONS = tuple(
    name
    for name, field in RunConfig.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section) and field.annotation is not Part
)
"""Names of the sections that are not parts."""


def resolve(
    file: Mapping[str, Any] | None = None,
    flags: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
    *,
    kinds: Collection[str] = KINDS,
) -> RunConfig:
    """Lay the layers over each other, check everything, fill every default in.

    Args:
        file: what a config file holds. Options of a part that it does not name are of the one that is chosen.
        flags: dotted names to values ("train.lr"), kinds to names ("backbone"), plural kinds to lists of names that
            are added ("metric") or taken away ("no_metric"; "all": all of them), and "hook.track.to" to an option of a
            part that is added where it is not chosen yet.
        assignments: `section.key=value` texts.
        kinds: whose parts must be installed and have right options; what the file says of others stays as it is.

    Raises UsageError in one sentence: an unknown name, option or value, or parts that do not fit together.
    """
    if file is not None and not isinstance(file, Mapping):
        raise UsageError("a config file holds one JSON object.")
    tree: dict[str, Any] = copy.deepcopy(dict(file or {}))
    origin, unnamed = tree.pop("origin", None), taken_unnamed(tree, SINGLE)
    layers = Layers(file=copy.deepcopy(tree) | unnamed, origin=origin, flags=flags or {}, assignments=assignments)
    chosen = dict(flags or {})
    one_end(tree, chosen, assignments)
    began_from(tree, chosen.get("preset"))
    if "data" in chosen and chosen["data"] != tree.get("data") and "source" not in chosen:
        tree.pop("source", None)
    process, sampler = _name_of(tree, "process"), _name_of(tree, "sampler")
    if process not in (None, chosen.get("process", process)) and "sampler" not in chosen:
        tree.pop("sampler", None)
    for name in ("preset", "process"):
        if name in chosen:
            _set_flag(tree, name, chosen[name], {})
    preset = chosen_parts(tree, process=_name_of(tree, "process"), asked="preset" in chosen)
    for name, value in sorted(chosen.items(), key=lambda flag: not flag[0].startswith("no_")):
        _set_flag(tree, name, value, preset)
    lay_under(tree, preset)
    tree |= {kind: {"name": name} for kind, name in _goes_with(tree).items()}
    for kind, part in default_names().items():
        tree.setdefault(kind, part)
    replaced = sampler not in (None, _name_of(tree, "sampler"))
    if replaced and "sample.steps" not in chosen and isinstance(tree.get("sample"), dict):
        tree["sample"].pop("steps", None)  # they were the other sampler's
    if "source" not in tree:
        tree["source"] = {"name": source_of(None if tree.get("data") is None else str(tree["data"]))}
    without = ""
    if "tokenizer" in kinds:
        assigned = unnamed.get("tokenizer", {}) | assignments_of(assignments).get("tokenizer", {})
        window, without = windows_of(tree["tokenizer"], assigned)
        tree.setdefault("length", window)
    config = _validated(tree)
    if config.length > LONG and "batch_size" not in config.train.model_fields_set:
        config = config.model_copy(update={"train": config.train.model_copy(update={"batch_size": BATCH // 2})})
    if "sampler" in kinds and "steps" not in config.sample.model_fields_set:
        steps = steps_of(config.sampler, config.length, by_bars=bool(without))
        config = config.model_copy(update={"sample": config.sample.model_copy(update={"steps": steps})})
    config = _validated(_assigned(_assigned(config.model_dump(mode="json"), unnamed), assignments_of(assignments)))
    config = _with_all_options(config, kinds)
    if {"tokenizer", "process"} <= set(kinds):
        check_process(config.tokenizer, config.process)
        if "backbone" in kinds:
            check_backbone(config.tokenizer, config.process, config.backbone)
        if config.condition.kept:
            check_kept(config.tokenizer)
    if {"process", "sampler"} <= set(kinds):
        check_sampler(config.process, config.sampler, steps=config.sample.steps, length=config.length)
    return config.model_copy(update={"origin": layers.origins(config.model_dump(mode="json"))})


def default_parts(kind: str) -> list[Part]:
    """The parts of a plural kind that are chosen unless somebody says otherwise."""
    return [Part(**part) for part in default_names().get(PLURAL[kind], [])]


def read_config(content: Any, where: object) -> RunConfig:
    """A config that was saved, whatever is installed. Raises UsageError that names `where`."""
    try:
        return RunConfig.model_validate(content)
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        raise UsageError(f"{where} is not the config of a run: {_sentence(mistake)}") from None


def filled(kind: str, part: Part) -> Part:
    """The part with its package, version, fingerprint and all of its options.

    Raises UsageError where there is no such part or its options are wrong, BrokenPluginError where it cannot be used.
    """
    offer = find(kind, part.spec)
    if (problem := offer.problem()) is not None:
        raise BrokenPluginError(problem)
    with offer.blamed("writing down its options"):
        options = offer.options(part.options).model_dump(mode="json")
    return Part(
        name=offer.name,
        package=offer.package,
        version=offer.version,
        fingerprint=offer.fingerprint(options),
        options=options,
    )


def _goes_with(tree: Mapping[str, Any]) -> Mapping[str, str]:
    """The parts that go with the chosen process, of kinds of which none is chosen yet."""
    part = tree.get("process") or default_names()["process"]
    if not (isinstance(part, Mapping) and isinstance(part.get("name"), str)):
        return {}
    return going_with(Part(name=part["name"], package=part.get("package")).spec, tree)


def _name_of(tree: Mapping[str, Any], kind: str) -> str | None:
    part = tree.get(kind)
    name = part.get("name") if isinstance(part, Mapping) else None
    return name if isinstance(name, str) else None


def _set_flag(tree: dict[str, Any], name: str, value: Any, preset: Parts) -> None:
    kind = name.removeprefix("no_")
    if name in SINGLE:
        if not (isinstance(tree.get(name), dict) and tree[name].get("name") == value):
            tree[name] = {"name": value}
    elif kind in PLURAL:
        parts = _parts(tree, kind, preset)
        if kind == name:
            parts += [{"name": name} for name in value if name not in (part["name"] for part in parts)]
        else:
            _take_away(kind, parts, value)
    else:
        section, dot, key = name.partition(".")
        if section in PLURAL:
            _set_option_of_one(tree, section, key, value, preset)
        elif dot:
            tree.setdefault(section, {})[key] = value
        else:
            tree[name] = value


def _parts(tree: dict[str, Any], kind: str, preset: Parts) -> list[dict[str, Any]]:
    """The chosen parts of a plural kind, to be changed in place: before any is chosen, the preset's."""
    many = PLURAL[kind]
    below = preset[many] if many in preset else default_names().get(many, [])
    parts: list[dict[str, Any]] = tree.setdefault(many, copy.deepcopy([dict(part) for part in below]))
    return parts


def _take_away(kind: str, parts: list[dict[str, Any]], names: Collection[str]) -> None:
    known = [part["name"] for part in parts]
    for name in names:
        if name not in (*known, "all"):
            raise UsageError(f"--no-{kind} {name}: it is not chosen. Chosen: {', '.join(known) or 'none'}.")
    parts[:] = [] if "all" in names else [part for part in parts if part["name"] not in names]


def _set_option_of_one(tree: dict[str, Any], kind: str, dotted: str, value: Any, preset: Parts) -> None:
    name, _, key = dotted.rpartition(".")
    parts = _parts(tree, kind, preset)
    if name not in (part["name"] for part in parts):
        parts.append({"name": name})
    for part in parts:
        if part["name"] == name:
            part["options"] = {**part.get("options", {}), key: value}


def _assigned(tree: dict[str, Any], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
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
                        f"-o {section}.{dotted}: write {section}.NAME.option=value, where NAME is one of this run's "
                        f"{PLURAL[section]}: {names}."
                    )
                _assign_part(section, parts[0], {key: value})
        elif section in SECTIONS:
            tree[section].update(values)
        else:
            raise UsageError(
                f"-o {section}.{next(iter(values))}: there is no section '{section}'. "
                f"Sections: {', '.join([*SINGLE, *PLURAL, *SECTIONS])}."
            )
    return tree


def _assign_part(kind: str, part: dict[str, Any], values: Mapping[str, Any]) -> None:
    spec = Part(name=part["name"], package=part.get("package")).spec
    part["options"] = find(kind, spec).merged(part["options"], values)


def _validated(tree: Mapping[str, Any]) -> RunConfig:
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise UsageError(" ".join(_sentence(mistake) for mistake in error.errors(include_url=False))) from None


def _sentence(mistake: Mapping[str, Any]) -> str:
    *above, last = mistake["loc"] or ("config",)
    model: Any = RunConfig
    for name in above:
        field = getattr(model, "model_fields", {}).get(name)
        model = field.annotation if field is not None and name in SECTIONS else Part
    if mistake["type"] in ("model_type", "extra_forbidden") and (model is Part or last in (*SINGLE, *PLURAL.values())):
        given = f" (given: {cut(repr(mistake['input']))})" if mistake["type"] == "model_type" else ""
        return f'{".".join(map(str, mistake["loc"]))}: a part is written {{"name": NAME, "options": {{...}}}}{given}.'
    return describe({**mistake, "loc": (last,)}, model, ".".join(map(str, above)) or "config")


def _with_all_options(config: RunConfig, kinds: Collection[str]) -> RunConfig:
    full: dict[str, Any] = {kind: filled(kind, getattr(config, kind)) for kind in SINGLE if kind in kinds}
    full |= {
        many: [filled(kind, part) for part in getattr(config, many)] for kind, many in PLURAL.items() if kind in kinds
    }
    return config.model_copy(update=full)
