"""What a command works in: its listeners, its precision and its devices; and with them, the run it works on."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffmidi_core.config import RunConfig
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.prepare import TOKENIZER
from diffmidi_core.hooks import Hooks
from diffmidi_core.machine.build import build, build_tokenizer
from diffmidi_core.machine.ranks import is_main, meet, on_cpu, started_alone
from diffmidi_core.sections import Part, TrainConfig
from diffmidi_core.wording import printable

if TYPE_CHECKING:
    from accelerate import Accelerator

    from diffmidi_core.saved.folder import RunFolder


class Surroundings:
    """Listeners, precision and accelerator; each is made when a stage first needs it.

    Args:
        listeners: the chosen hooks.
        precision: what to compute in, as `--precision` has it.
        training: how a model is trained, where one is: a sharded one is set up by it.
    """

    def __init__(
        self, listeners: Sequence[Part] = (), *, precision: str = "auto", training: TrainConfig | None = None
    ) -> None:
        self.listeners, self.asked_precision, self.training = listeners, precision, training or TrainConfig()

    @cached_property
    def hooks(self) -> Hooks:
        """The chosen listeners; only the main process has any."""
        if not is_main():
            return Hooks(silent=True)
        own = [(type(listener).__name__, listener) for listener in self._own_listeners()]
        hooks = Hooks([*own, *((part.label, build("hook", part)) for part in self.listeners)])
        if (remark := started_alone()) is not None:
            hooks.warn(remark)
        return hooks

    def _own_listeners(self) -> list[object]:
        """Those that nobody has to choose."""
        return []

    @cached_property
    def precision(self) -> str:
        """What to compute in: "fp32", "bf16" or "fp16"."""
        from diffmidi_core.machine.precision import emulated, resolve_precision

        precision = resolve_precision(self.asked_precision)
        if self.asked_precision != "auto" and (remark := emulated(precision)) is not None:
            self.hooks.warn(remark)
        return precision

    @cached_property
    def accelerator(self) -> Accelerator:
        """Device, ranks and mixed precision, as `accelerate launch`, torchrun or plain Python started us."""
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState

        from diffmidi_core.machine.deepspeed import check_installed, is_chosen
        from diffmidi_core.machine.sharding import allow_for

        check_installed()
        precision = self.precision
        # DeepSpeed's own way would cast all weights; it is told to leave that to autocast.
        ours = precision == "fp32" or is_chosen()
        mixed = "no" if ours else precision
        # It settles on one precision for the life of a process, and a notebook has runs of several.
        if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed:
            AcceleratorState._reset_state()
        accelerator = Accelerator(cpu=on_cpu(), mixed_precision=mixed)
        meet()
        return allow_for(accelerator, self.training, precision)

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision outside of training. (The accelerator's knows nothing of it where DeepSpeed trains.)"""
        from diffmidi_core.machine.precision import autocast

        return autocast(self.precision, self.accelerator.device)

    def machine(self) -> dict[str, Any]:
        """What computes: versions, system, device, processes, precision."""
        return {
            "versions": _versions(("diffmidi", "torch", "transformers", "accelerate", "symusic", "numpy")),
            "python": platform.python_version(),
            "machine": platform.platform(),
            "device": str(self.accelerator.device),
            "processes": self.accelerator.num_processes,
            "precision": self.precision,
        }

    def tell_begin(self, stage: str, folder: Path, config: Mapping[str, Any], about: str = "") -> None:
        """Tell the listeners that a stage begins, what governs it, and what it is about in a few words."""
        self.hooks.emit("run_started", folder=folder, config=config, stage=stage, about=printable(about))

    def tell_end(self, stage: str, folder: Path, figures: Mapping[str, Any] | None = None) -> None:
        """Tell the listeners that it ended well."""
        self.hooks.emit("run_finished", folder=folder, figures=figures or {}, stage=stage)


@dataclass
class Session(Surroundings):
    """One command's work on a run: its folder and its config.

    Attributes:
        changed: what this command changed of a run that had begun to train, dotted name to [old, new].
        profile: whether training is to leave a profile of a few steps (train/profile.py).
        begin_from: the run and the checkpoint that a new run takes its weights from.
        plan: how many iterations its minutes come to, where this command has settled it (train/plan.py).
    """

    folder: RunFolder
    config: RunConfig
    changed: Mapping[str, Any] = field(default_factory=dict)
    profile: bool = False
    begin_from: tuple[Path, Any] | None = None
    plan: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        super().__init__(self.config.hooks, precision=self.config.precision, training=self.config.train)

    def _own_listeners(self) -> list[object]:
        from diffmidi_core.machine.run_log import RUN_LOG, RunLog

        return [RunLog(self.folder.path / RUN_LOG)]

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The run's tokenizer, as it was when the data were prepared."""
        return build_tokenizer(self.config, self.folder.data / TOKENIZER)

    def begin(self, stage: str, about: str = "") -> None:
        """Tell the listeners that a stage of the run begins."""
        self.tell_begin(stage, self.folder.path, self.config.model_dump(mode="json"), about)

    def end(self, stage: str, figures: Mapping[str, Any] | None = None) -> None:
        """Tell the listeners that it ended well."""
        self.tell_end(stage, self.folder.path, figures)


def _versions(packages: Iterable[str]) -> dict[str, str]:
    from importlib.metadata import version

    return {package: version(package) for package in packages}
