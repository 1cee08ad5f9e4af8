"""What DeepSpeed is told and what is refused; that it trains as one process does is in journeys/test_deepspeed.py."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from accelerate import DistributedType
from accelerate.utils import DeepSpeedPlugin

from diffmidi_core.config import TrainConfig
from diffmidi_core.errors import UsageError
from diffmidi_core.machine import deepspeed
from diffmidi_core.machine.sharding import allow_for, is_shared_out

TRAIN = TrainConfig(batch_size=8, accumulate=2, clip=0.5)


def accelerator_for(plugin):
    state = SimpleNamespace(deepspeed_plugin=plugin)
    return SimpleNamespace(
        distributed_type=DistributedType.DEEPSPEED, is_fsdp2=False, num_processes=4, state=state, scaler=None
    )


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("installed", [True, False])
def test_what_is_chosen_and_not_installed_is_said_at_once(monkeypatch, chosen, installed):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", str(chosen).lower())
    monkeypatch.setattr(deepspeed, "find_spec", lambda name: object() if installed else None)
    assert deepspeed.is_chosen() == chosen
    said = pytest.raises(UsageError, match=r"pip install 'diffmidi\[deepspeed\]', or choose FSDP2")
    with said if chosen and not installed else nullcontext():
        deepspeed.check_installed()


@pytest.mark.parametrize("stage", [1, 2])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_runs_config_decides(stage, precision):
    plugin = DeepSpeedPlugin(zero_stage=stage)
    plugin.set_mixed_precision("no")
    accelerator = accelerator_for(plugin)
    assert allow_for(accelerator, TRAIN, precision) is accelerator
    assert is_shared_out(accelerator)
    config = plugin.deepspeed_config
    assert (config["train_batch_size"], config["train_micro_batch_size_per_gpu"]) == (32, 8)
    assert (config["gradient_accumulation_steps"], config["gradient_clipping"]) == (1, 0.5)
    assert [config[name]["enabled"] for name in ("bf16", "fp16")] == [False, False], "weights stay in fp32"
    assert config.get("torch_autocast", {}).get("dtype") == {"fp32": None, "bf16": "bfloat16"}[precision]


def test_a_config_file_of_transformers_is_taken():
    """As its documentation gives it for ZeRO 2, without the optimiser."""
    buckets = {"allgather_bucket_size": 5e8, "overlap_comm": True, "reduce_bucket_size": "auto"}
    plugin = DeepSpeedPlugin(
        hf_ds_config={
            "fp16": {"enabled": "auto", "loss_scale": 0, "loss_scale_window": 1000, "initial_scale_power": 16},
            "bf16": {"enabled": "auto"},
            "zero_optimization": {"stage": 2, "offload_optimizer": {"device": "none"}, **buckets},
            "gradient_accumulation_steps": "auto",
            "gradient_clipping": "auto",
            "train_batch_size": "auto",
            "train_micro_batch_size_per_gpu": "auto",
        }
    )
    plugin.set_mixed_precision("no")
    allow_for(accelerator_for(plugin), TRAIN, "bf16")
    assert "auto" not in str(plugin.deepspeed_config).replace("torch_autocast", "")
    assert plugin.deepspeed_config["zero_optimization"]["overlap_comm"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"zero_optimization": {"stage": 0}}, r"not with 0: choose plain MULTI_GPU"),
        ({"zero_optimization": {"stage": 3}}, r"not with 3: choose FSDP2 \(examples/multi_gpu/fsdp2.yaml\)"),
        ({"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}}, "offload"),
        ({"gradient_clipping": 1.0}, r"gradient_clipping = 1.0, which -o train.clip decides"),
        ({"gradient_accumulation_steps": 2}, "gradient_accumulation_steps = 2, which --accumulate decides"),
        ({"train_batch_size": 8}, "train_batch_size = 8, which --batch-size decides"),
        ({"bf16": {"enabled": True}}, "bf16.enabled = True, which --precision decides"),
        ({"optimizer": {"type": "Adam"}}, "optimizer = .* which -o train decides"),
    ],
)
def test_what_contradicts_it_or_cannot_be_trained_in_is_refused(settings, said):
    plugin = DeepSpeedPlugin(hf_ds_config={"zero_optimization": {"stage": 2}, **settings})
    plugin.set_mixed_precision("no")
    with pytest.raises(UsageError, match=said):
        allow_for(accelerator_for(plugin), TRAIN, "fp32")


def test_fp16_is_refused():
    with pytest.raises(UsageError, match="choose --precision bf16 or fp32"):
        deepspeed.reconcile(DeepSpeedPlugin(zero_stage=2), 4, TRAIN, "fp16")
