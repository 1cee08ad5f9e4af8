"""The light half of a plugin: what it is called for, what can be set, and where its class is (imported when built).

Every kind is declared by `Declaration`, but for some that have more to declare (`SourceDeclaration`,
`ProcessDeclaration`, `SamplerDeclaration`, `ControlDeclaration`, `MetricDeclaration`) and presets, which are nothing
but their declaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os.path import expanduser
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

UserPath = Annotated[Path, AfterValidator(lambda path: Path(expanduser(path)))]
"""The type of an option that is a path: `~` in it is the user's home folder, wherever the option is set."""


class Options(BaseModel):
    """Base of every part's options: unknown names are refused, values are checked, and nothing changes afterwards.

    Numbers are finite, unless a field says `Field(allow_inf_nan=True)`. Give each field a default, bounds and a
    description: `diffmidi plugins show` prints them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def merged(cls, below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
        """Lay `above` (a flag) over `below` (a file). Override it where one option is a preset of others."""
        return {**below, **above}


@dataclass(frozen=True)
class Described:
    """What any entry point of ours names.

    Args:
        summary: one line for `diffmidi plugins`.
        contract: which version of its kind's contract it was written to (`diffmidi.api` lists them); None: the newest
            that the installed diffmidi has, whichever that is.

    Raises ValueError where one is not what it should be.
    """

    summary: str
    contract: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.summary, str):
            raise ValueError(f"summary is one line of text, not {self.summary!r}")
        if not (self.contract is None or type(self.contract) is int):
            raise ValueError(f"contract is a whole number, not {self.contract!r}")


def _check_texts(declaration: object, *names: str) -> None:
    """Raises ValueError where one is no tuple of texts: `("one")` is a text, of which each letter would count."""
    for name in names:
        value = getattr(declaration, name)
        if not (isinstance(value, tuple | list) and all(isinstance(each, str) for each in value)):
            raise ValueError(f"{name} is a tuple of texts, such as ('one',), not {value!r}")


@dataclass(frozen=True)
class Declaration(Described):
    """What the entry point of a part names. Its module must stay light: no torch, transformers, numpy or symusic.

    Args:
        summary: one line for `diffmidi plugins`.
        implementation: where the class is, as "package.module:Class"; imported only when the part is built.
        options: the pydantic model of what can be set.
        tiny: options with which the part is smallest, for tests and for the conformance kit.
        needs: importable modules that the implementation needs beyond diffmidi's own dependencies.
        was: names that the part had before, so that what was saved with them still opens.

    Raises ValueError where `implementation` or `options` cannot be what they should be.
    """

    implementation: str
    options: type[Options] = Options
    tiny: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    was: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Checked here, so that the plugin's author is told at import, and a user why the plugin is broken.
        super().__post_init__()
        if not (isinstance(self.implementation, str) and re.fullmatch(r"\w+(\.\w+)*:\w+", self.implementation)):
            raise ValueError(f"implementation is 'package.module:Class', not {self.implementation!r}")
        if not (isinstance(self.options, type) and issubclass(self.options, Options)):
            raise ValueError(f"options is a subclass of diffmidi.api.Options, not {self.options!r}")
        if not isinstance(self.tiny, Mapping):
            raise ValueError(f"tiny is a mapping of options to values, not {self.tiny!r}")
        _check_texts(self, "needs", "was")


@dataclass(frozen=True)
class SourceDeclaration(Declaration):
    """A source's declaration.

    Args:
        takes: which data are its own, as patterns of what the user gives as --data ("*.parquet", "hub:*"; case does not
            count). A folder that is there ends in "/"; without --data, "" is given.
        toy: of a format of its own, where the function is that writes some small pieces of it, as
            "package.module:function": it is given an empty folder, a Path, and returns what --data is to be. The
            conformance kit tries the source on it. "": MIDI files, or a Parquet table of them, will do.

    Raises ValueError where `toy` is no such text.
    """

    takes: tuple[str, ...] = ()
    toy: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_texts(self, "takes")
        if self.toy and not re.fullmatch(r"\w+(\.\w+)*:\w+", self.toy):
            raise ValueError(f"toy is 'package.module:function', not {self.toy!r}")


@dataclass(frozen=True)
class BackboneDeclaration(Declaration):
    """A backbone's declaration. A plain one will do for one that takes every mask.

    Args:
        pairs: whether it takes masks of pairs [B, L, L], which say who may see whom. Without them tokens cannot be
            predicted from left to right, nor bars in one pass, and a run with such a process is refused.
    """

    pairs: bool = True


WINDOW = 128
"""Tokens in a window, where neither the run nor its tokenizer says how many."""


@dataclass(frozen=True)
class TokenizerDeclaration(Declaration):
    """A tokenizer's declaration. A plain one will do where its windows are as long as most.

    Args:
        window: its options to the tokens in a window, where a run does not say: `Tokenizer.window` of what is built.
        without_plan: its options to the `-o` with which it has no `Tokenizer.plan`, where they give it one; else "".
    """

    window: Callable[[Any], int] = lambda options: WINDOW
    without_plan: Callable[[Any], str] = lambda options: ""


GO_WITH = ("source", "tokenizer", "backbone", "schedule", "sampler")
"""Kinds of which a process can name the part that a run takes with it."""


@dataclass(frozen=True)
class ProcessDeclaration(Declaration):
    """A process's declaration.

    Args:
        family: the family of mathematics it belongs to; samplers of that family can draw from it.
        goes_with: the parts that a run takes with it unless it names others, kind to name, such as {"sampler": "ddpm"};
            a kind that is left out is the default run's.
        plans: whether it can do with tokens that have a plan of bars (`Tokenizer.plan`).
        pairs: whether it asks its backbone with masks of pairs [B, L, L] (`BackboneDeclaration.pairs`): "never",
            "plan" (of tokens that have a plan of bars), or "always".

    Raises ValueError where `pairs` is none of these, or `goes_with` is no mapping of kinds to names.
    """

    family: str | None = None
    goes_with: Mapping[str, str] = field(default_factory=dict)
    plans: bool = False
    pairs: Literal["never", "plan", "always"] = "never"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pairs not in ("never", "plan", "always"):
            raise ValueError(f"pairs is 'never', 'plan' or 'always', not {self.pairs!r}")
        chosen = self.goes_with.items() if isinstance(self.goes_with, Mapping) else ((None, None),)
        for kind, name in chosen:
            if kind not in GO_WITH or not isinstance(name, str):
                kinds = ", ".join(GO_WITH)
                raise ValueError(f"goes_with names a part of a kind ({kinds}), not {self.goes_with!r}")


@dataclass(frozen=True)
class SamplerDeclaration(Declaration):
    """A sampler's declaration.

    Args:
        family: the family of processes it can draw from.
        steps: how many steps a run draws with unless it says so; None: one for each token of a window where it needs
            that, else the default of `sample.steps`.
        steps_by_bars: the same for tokens that have a plan of bars, of which a window is drawn in several portions that
            share these steps; None: as without.
        step_per_token: whether it takes a step for each token it draws, and refuses to do with fewer.

    Raises ValueError where `steps` or `steps_by_bars` is less than 1.
    """

    family: str | None = None
    steps: int | None = None
    steps_by_bars: int | None = None
    step_per_token: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("steps", "steps_by_bars"):
            if (value := getattr(self, name)) is not None and not (type(value) is int and value >= 1):
                raise ValueError(f"{name} is 1 or more, or None, not {value!r}")


TELL = ("pitch", "velocity", "duration", "time", "metre", "tempo", "count", "track", "bar")
"""What tokens can tell of music: the roles of `Tokenizer.roles`."""


@dataclass(frozen=True)
class ControlDeclaration(Declaration):
    """A control's declaration.

    Args:
        decides: what of the music hangs on it, as roles of tokens ("pitch", "time", ...): where a lock keeps all of
            that, it is refused, for it could do nothing. () is all.
        whole: its losses are of whole pieces only; by default those of a part of a piece, such as some bars, mean
            something too, and drawing is guided by them step by step.

    Raises ValueError for what is no role.
    """

    decides: tuple[str, ...] = ()
    whole: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_texts(self, "decides")
        if strange := set(self.decides) - set(TELL):
            raise ValueError(f"decides names roles of tokens ({', '.join(TELL)}), not {min(strange)!r}")


@dataclass(frozen=True)
class MetricDeclaration(Declaration):
    """A metric's declaration.

    Args:
        title: what people call its figures, to stand before the number ("bits per token, at most"); by default its name
            with spaces.
        better: which figures are the better ones, "lower" or "higher"; "" where they are to be near the reference.

    Raises ValueError where `better` is none of these.
    """

    title: str = ""
    better: Literal["", "lower", "higher"] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.better not in ("", "lower", "higher"):
            raise ValueError(f"better is 'lower', 'higher' or '', not {self.better!r}")


SETTINGS = ("train", "sample")
"""Sections of a config that a preset may set, beside parts."""


@dataclass(frozen=True)
class Preset(Described):
    """A named set of parts and of their options, which `--preset NAME` lays under everything else that is chosen.

    Args:
        summary: one line for `diffmidi plugins` and for the help of --preset.
        parts: what it sets, as a config file has it: {"process": {"name": "masked", "options": {"neighbours": 8}},
            "metrics": [{"name": "bound_bpw"}]}. An option that is left out is the part's own default; a kind that is
            left out is the default preset's. Sections "train" and "sample" may stand beside them, as in
            {"train": {"iterations": 400}}.

    Raises ValueError where `parts` sets no process, or is no mapping of kinds to parts.
    """

    parts: Mapping[str, Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        process = self.parts.get("process") if isinstance(self.parts, Mapping) else None
        if not (isinstance(process, Mapping) and isinstance(process.get("name"), str)):
            raise ValueError("the parts of a preset name at least its process: {'process': {'name': ...}}")
        for kind, chosen in self.parts.items():
            if kind in SETTINGS and isinstance(chosen, Mapping):
                continue
            for part in chosen if isinstance(chosen, list | tuple) else (chosen,):
                if not (isinstance(part, Mapping) and set(part) <= {"name", "package", "options"} and "name" in part):
                    raise ValueError(f"{kind} of a preset is {{'name': ..., 'options': {{...}}}}, not {part!r}")
