"""The light half of a plugin: what it is called for, what can be set, and where its class is (imported when built)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import expanduser
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

UserPath = Annotated[Path, AfterValidator(lambda path: Path(expanduser(path)))]
"""The type of an option that is a path: `~` in it is the user's home folder, wherever the option is set."""


class Options(BaseModel):
    """Base of every part's options: unknown names are refused, values are checked, and nothing changes afterwards.

    Give each field a default, bounds and a description: `diffmidi plugins show` prints them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def merged(cls, below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
        """Lay `above` (a flag) over `below` (a file). Override it where one option is a preset of others."""
        return {**below, **above}


@dataclass(frozen=True)
class Declaration:
    """What an entry point names. Its module must stay light: no torch, transformers, numpy or symusic at import.

    Args:
        summary: one line for `diffmidi plugins`.
        implementation: where the class is, as "package.module:Class"; imported only when the part is built.
        options: the pydantic model of what can be set.
        tiny: options with which the part is smallest, for tests and for the conformance kit.
        needs: importable modules that the implementation needs beyond diffmidi's own dependencies.
        takes: for a source, which data are its own, as patterns of what the user gives as --data ("*.parquet", "hub:*";
            case does not count). A folder that is there ends in "/"; without --data, "" is given.
        family: for a process, the family of mathematics it belongs to; for a sampler, the family it can sample.
            A sampler serves the processes of its own family.
        step_per_word: for a sampler, that it takes a step for each word it draws, and refuses to do with fewer.
        steps: for a sampler, how many steps a run draws with unless it says so; None: one for each word of a window
            where it needs that, else the default of `sample.steps`.
        goes_with: for a process, the parts that a run takes with it unless it names others, kind to name, such as
            {"sampler": "ddpm"}; a kind that is left out is the default run's.
        was: names that the part had before, so that what was saved with them still opens.

    Raises ValueError where `implementation` or `options` cannot be what they should be.
    """

    summary: str
    implementation: str
    options: type[Options] = Options
    tiny: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    family: str | None = None
    step_per_word: bool = False
    steps: int | None = None
    goes_with: Mapping[str, str] = field(default_factory=dict)
    was: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Said here, so that the plugin's author hears it at import, and a user as the reason why the plugin is broken.
        if not re.fullmatch(r"\w+(\.\w+)*:\w+", self.implementation):
            raise ValueError(f"implementation is 'package.module:Class', not {self.implementation!r}")
        if not (isinstance(self.options, type) and issubclass(self.options, Options)):
            raise ValueError(f"options is a subclass of diffmidi_core.api.Options, not {self.options!r}")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps is 1 or more, or None, not {self.steps!r}")
