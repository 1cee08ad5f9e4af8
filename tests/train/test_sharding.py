"""What accelerate is told about a sharded model, and what is refused before training begins."""

from types import SimpleNamespace

import pytest
import torch
from accelerate import DistributedType

from diffmidi_core.config import TrainConfig
from diffmidi_core.errors import UsageError
from diffmidi_core.machine.ranks import on_cpu
from diffmidi_core.machine.sharding import allow_for, is_shared_out, name_layers
from diffmidi_core.registry import find


@pytest.mark.parametrize(("name", "layer"), [("bert", "BertLayer"), ("electra", "ElectraLayer"), ("modern", "Layer")])
def test_a_layer_is_what_repeats(name, layer):
    backbone = find("backbone", name).build({"size": "tiny"}, length=8)
    name_layers(backbone)
    assert backbone._no_split_modules == [layer]


@pytest.mark.parametrize(
    ("kind", "said"), [(DistributedType.FSDP, "FSDP1"), (DistributedType.MEGATRON_LM, "MEGATRON_LM")]
)
def test_what_cannot_be_trained_in_is_refused(kind, said):
    with pytest.raises(UsageError, match=f"configured for {said}, .* choose FSDP with `fsdp_version: 2`"):
        allow_for(SimpleNamespace(distributed_type=kind, is_fsdp2=False), TrainConfig(), "fp32")


@pytest.mark.parametrize("kind", [DistributedType.NO, DistributedType.MULTI_GPU, DistributedType.MULTI_CPU])
def test_copies_on_each_process_are_left_as_they_are(kind):
    accelerator = SimpleNamespace(distributed_type=kind, is_fsdp2=False)
    assert allow_for(accelerator, TrainConfig(), "fp32") is accelerator
    assert not is_shared_out(accelerator)


def test_torch_for_gpus_where_there_is_none_runs_on_the_cpu(monkeypatch):
    """Asked what it is built for it says a GPU, whose drivers are not there."""
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    built_for = torch.device("cuda")
    monkeypatch.setattr(
        torch.accelerator, "current_accelerator", lambda check_available=False: None if check_available else built_for
    )
    assert on_cpu()
