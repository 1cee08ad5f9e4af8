"""DeepSpeed's ZeRO 1 and 2 (Rajbhandari et al. 2020): whole weights on each process, part of the optimiser's state.

Its engine has an optimiser of its own around ours, which steps at the end of a step's last backward pass. The state is
one flat tensor a process, cut without regard to where a parameter begins; here it is put together by parameter, as
checkpoints have it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from diffmidi_core.config import TrainConfig
from diffmidi_core.errors import UsageError
from diffmidi_core.machine.ranks import main_only

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

STAGES = (1, 2)
"""Of ZeRO: 0 is DDP, and 3 is FSDP2."""
_MOMENTS = ("exp_avg", "exp_avg_sq")


def is_chosen() -> bool:
    """Whether accelerate was configured for DeepSpeed."""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "").lower() == "true"


def check_installed() -> None:
    """Raises UsageError where it was chosen and is not installed; before accelerate would, and without importing it."""
    if is_chosen() and find_spec("deepspeed") is None:
        raise main_only(
            UsageError(
                "accelerate was configured for DeepSpeed, which is not installed: pip install 'diffmidi[deepspeed]', "
                "or choose FSDP2, which shares out as much and needs no package (examples/multi_gpu/fsdp2.yaml)."
            )
        )


def reconcile(plugin: Any, processes: int, config: TrainConfig, precision: str) -> None:
    """Set DeepSpeed's config, `plugin`'s, by the run's own config.

    As with FSDP2 weights and gradients stay in fp32, and autocast decides what is computed in bf16. Raises UsageError
    for what cannot be trained in, and for a config that contradicts the run's.
    """
    stage, offload = plugin.zero_stage, plugin.get_value("zero_optimization.offload_optimizer.device")
    if stage not in STAGES:
        other = "FSDP2 (examples/multi_gpu/fsdp2.yaml)" if stage == 3 else "plain MULTI_GPU"
        raise main_only(
            UsageError(f"diffmidi trains with DeepSpeed's ZeRO stages 1 and 2, not with {stage}: choose {other}.")
        )
    if offload not in (None, "none"):
        raise main_only(UsageError("diffmidi does not train with DeepSpeed's offload: set its device to none."))
    if precision == "fp16":
        raise main_only(UsageError("diffmidi does not train in fp16 with DeepSpeed: choose --precision bf16 or fp32."))
    ours = {
        "train_batch_size": (config.batch_size * processes, "--batch-size"),
        "train_micro_batch_size_per_gpu": (config.batch_size, "--batch-size"),
        "gradient_accumulation_steps": (1, "--accumulate"),
        "gradient_clipping": (config.clip, "-o train.clip"),
        "bf16.enabled": (False, "--precision"),
        "fp16.enabled": (False, "--precision"),
        "torch_autocast": (None, "--precision"),
        "optimizer": (None, "-o train"),
        "scheduler": (None, "-o train"),
    }
    for key, (value, option) in ours.items():
        if (found := plugin.get_value(key)) not in (None, "auto", value):
            raise main_only(
                UsageError(
                    f"DeepSpeed's config has {key} = {found}, which {option} decides: leave it out, or set it to auto."
                )
            )
    plugin.deepspeed_config |= {key: value for key, (value, _) in ours.items() if isinstance(value, int | float)}
    zero = plugin.deepspeed_config["zero_optimization"]
    for key in [key for key, value in zero.items() if value == "auto"]:
        del zero[key]  # DeepSpeed's default; accelerate would ask a model of transformers for its width
    if precision == "bf16":
        # Without "safe modules" gradients are averaged as they are, in fp32.
        plugin.deepspeed_config["torch_autocast"] = {
            "enabled": True,
            "dtype": "bfloat16",
            "lower_precision_safe_modules": [],
        }


def shares_out(optimiser: object) -> bool:
    """Whether this is DeepSpeed's optimiser, as accelerate returns it."""
    from accelerate.utils.deepspeed import DeepSpeedOptimizerWrapper

    return isinstance(optimiser, DeepSpeedOptimizerWrapper)


def gathered_state(process: nn.Module, optimiser: Any) -> Iterator[tuple[str, Tensor]]:
    """Its state by parameter, whole and on the CPU. All processes must ask for all of it."""
    import torch
    from deepspeed.utils import safe_get_full_optimizer_state

    step = _inner(optimiser).state_dict()["state"][0]["step"]
    for name, parameter in process.named_parameters():
        yield f"{name}/step", torch.as_tensor(step).cpu().clone()
        for moment in _MOMENTS:
            yield f"{name}/{moment}", safe_get_full_optimizer_state(parameter, moment).cpu()


def fill_state(process: nn.Module, optimiser: Any, saved: Mapping[str, Tensor]) -> None:
    """Take saved state, after the weights have been filled."""
    import torch
    from deepspeed.utils import safe_set_full_optimizer_state

    zero, inner = optimiser.optimizer, _inner(optimiser)
    zero.refresh_fp32_params()
    (flat,) = inner.param_groups[0]["params"]
    parameters = dict(process.named_parameters())
    step = saved[f"{next(iter(parameters))}/step"]
    state = {"step": step, **{moment: torch.zeros_like(flat) for moment in _MOMENTS}}
    inner.load_state_dict({"state": {0: state}, "param_groups": inner.state_dict()["param_groups"]})
    zero._lazy_init_hp_params_optimizer_state()  # what DeepSpeed does after the first step: only then is there any
    for name, parameter in parameters.items():
        for moment in _MOMENTS:
            safe_set_full_optimizer_state(parameter, saved[f"{name}/{moment}"].to(flat.device), moment)


def _inner(optimiser: Any) -> Optimizer:
    """Our own AdamW, which DeepSpeed has given one flat parameter."""
    inner: Optimizer = optimiser.optimizer.optimizer
    return inner
