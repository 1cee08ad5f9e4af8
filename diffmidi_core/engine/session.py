"""Session: what every stage works with: the run's folder, its config, its listeners and the accelerator."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from diffmidi_core.config import RunConfig
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.prepare import TOKENIZER
from diffmidi_core.engine.build import build, build_tokenizer
from diffmidi_core.engine.folder import RunFolder
from diffmidi_core.engine.ranks import is_main, on_cpu, started_alone
from diffmidi_core.hooks import Hooks

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass
class Session:
    """One command's work on a run folder; parts and the accelerator are made when a stage first needs them."""

    folder: RunFolder
    config: RunConfig
    profile: bool = False
    """Whether training is to leave a profile of a few steps (engine/profile.py)."""

    @cached_property
    def hooks(self) -> Hooks:
        """The chosen listeners; only the main process has any."""
        if not is_main():
            return Hooks(silent=True)
        hooks = Hooks((part.name, build("hook", part)) for part in self.config.hooks)
        if (remark := started_alone()) is not None:
            hooks.warn(remark)
        return hooks

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The run's tokenizer, as it was when the data were prepared."""
        return build_tokenizer(self.config, self.folder.data / TOKENIZER)

    @cached_property
    def precision(self) -> str:
        """What to compute in: "fp32", "bf16" or "fp16"."""
        from diffmidi_core.engine.precision import resolve_precision

        return resolve_precision(self.config.precision)

    @cached_property
    def accelerator(self) -> Accelerator:
        """Device, ranks and mixed precision, as `accelerate launch`, torchrun or plain Python started us."""
        from accelerate import Accelerator

        from diffmidi_core.engine.deepspeed import check_installed, is_chosen
        from diffmidi_core.engine.sharding import allow_for

        check_installed()
        precision = self.precision
        # DeepSpeed's own way would cast all weights; it is told to leave that to autocast.
        ours = precision == "fp32" or is_chosen()
        accelerator = allow_for(
            Accelerator(cpu=on_cpu(), mixed_precision="no" if ours else precision), self.config.train, precision
        )
        self.folder.note(
            versions=_versions(("diffmidi", "torch", "transformers", "accelerate", "symusic", "numpy")),
            python=platform.python_version(),
            machine=platform.platform(),
            device=str(accelerator.device),
            processes=accelerator.num_processes,
            precision=precision,
        )
        return accelerator

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision outside of training. (The accelerator's knows nothing of it where DeepSpeed trains.)"""
        from diffmidi_core.engine.precision import autocast

        return autocast(self.precision, self.accelerator.device)

    def begin(self, stage: str) -> None:
        """Tell the listeners that a stage begins."""
        self.hooks.emit("run_started", folder=self.folder.path, config=self.config.model_dump(mode="json"), stage=stage)

    def end(self, stage: str, figures: dict[str, Any] | None = None) -> None:
        """Tell the listeners that it ended well."""
        self.hooks.emit("run_finished", folder=self.folder.path, figures=figures or {}, stage=stage)


def _versions(packages: Iterable[str]) -> dict[str, str]:
    from importlib.metadata import version

    return {package: version(package) for package in packages}
