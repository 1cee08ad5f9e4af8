"""Training that is shared out. FSDP2: tensors of which each process holds a part, torch's DTensors, and the same whole.

What DeepSpeed shares out is in deepspeed.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from torch import Tensor, nn

from diffmidi_core.config import TrainConfig
from diffmidi_core.errors import UsageError
from diffmidi_core.machine.deepspeed import reconcile
from diffmidi_core.machine.ranks import main_only

if TYPE_CHECKING:
    from accelerate import Accelerator

_BY_LAYER = "_no_split_modules"
"""Where accelerate looks for the classes that a policy "by layer" takes."""


def is_sharded(tensor: Tensor) -> bool:
    """Whether each process holds a part of it. (Asked by a method's name: importing DTensor takes seconds.)"""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor: itself, unless it is sharded. Then all processes must ask for it, in the same order."""
    return cast(Tensor, cast(Any, tensor).full_tensor()) if is_sharded(tensor) else tensor


def part_like(tensor: Tensor, like: Tensor) -> Tensor:
    """What this process holds of a whole `tensor` that every process has, laid out as `like` is."""
    if not is_sharded(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    layout = cast(Any, like)
    return distribute_tensor(tensor, layout.device_mesh, layout.placements, src_data_rank=None)


def is_shared_out(accelerator: Accelerator) -> bool:
    """Whether a step is one of all processes from its first pass to its last, so that none can take a part again."""
    return bool(accelerator.is_fsdp2) or _kind(accelerator) == "DEEPSPEED"


def allow_for(accelerator: Accelerator, config: TrainConfig, precision: str) -> Accelerator:
    """The accelerator, ready for a sharded model. Raises UsageError for a way to share it out that we cannot train in.

    FSDP2 would cast all weights to bf16 or fp16, embeddings and rounding head too, whose bits are what the bound
    counts. Left in fp32, autocast decides as it does without FSDP2, and a run computes the same either way. And each
    process builds the weights itself: `cpu_ram_efficient_loading` fails where the model itself has parameters.
    """
    kind = _kind(accelerator)
    if accelerator.is_fsdp2:
        from accelerate.utils import disable_fsdp_ram_efficient_loading
        from torch.distributed.fsdp import MixedPrecisionPolicy

        plugin = accelerator.state.fsdp_plugin
        plugin.mixed_precision_policy = MixedPrecisionPolicy()
        plugin.cpu_ram_efficient_loading = False
        disable_fsdp_ram_efficient_loading()  # transformers asks the environment
    elif kind == "DEEPSPEED":
        reconcile(accelerator.state.deepspeed_plugin, accelerator.num_processes, config, precision)
    elif kind != "NO" and not kind.startswith("MULTI_"):
        asked = "FSDP1" if kind == "FSDP" else kind
        raise main_only(
            UsageError(
                f"accelerate was configured for {asked}, which diffmidi does not train with: choose FSDP with "
                "`fsdp_version: 2`, which shards weights, gradients and the optimiser's state, or plain MULTI_GPU."
            )
        )
    return accelerator


def _kind(accelerator: Accelerator) -> str:
    return str(accelerator.distributed_type).removeprefix("DistributedType.")


def name_layers(model: nn.Module) -> None:
    """Tell accelerate what a layer is, where its policy is TRANSFORMER_BASED_WRAP: what lists of modules hold."""
    lists = (module for module in model.modules() if isinstance(module, nn.ModuleList))
    setattr(model, _BY_LAYER, sorted({type(layer).__name__ for layers in lists for layer in layers}))
