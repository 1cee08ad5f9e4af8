"""examples/multi_gpu, as accelerate itself reads them: what they say is what its processes are told."""

import re
import shlex
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DeepSpeedPlugin, FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

from diffmidi_core.config import TrainConfig
from diffmidi_core.machine.deepspeed import reconcile

FOLDER = Path(__file__).parents[2] / "examples" / "multi_gpu"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
CONFIGS = sorted(path.name for path in FOLDER.glob("*.yaml"))


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch):
    for name in ("ACCELERATE_USE_CPU", "ACCELERATE_MIXED_PRECISION"):
        monkeypatch.delenv(name, raising=False)


def launched(line):
    """The arguments of an `accelerate launch` line as it reads them, with the environment it gives its processes."""
    arguments, defaults, _ = _validate_launch_command(launch_command_parser().parse_args(shlex.split(line)[2:]))
    if arguments.use_deepspeed:
        arguments.deepspeed_fields_from_accelerate_config = ",".join(defaults.deepspeed_config)
        return arguments, prepare_deepspeed_cmd_env(arguments)[1]
    return arguments, prepare_multi_gpu_env(arguments)


@pytest.mark.parametrize(
    ("name", "kind", "machines", "processes"),
    [
        ("ddp.yaml", "MULTI_GPU", 1, 8),
        ("deepspeed.yaml", "DEEPSPEED", 1, 8),
        ("fsdp2.yaml", "FSDP", 1, 8),
        ("nodes.yaml", "MULTI_GPU", 2, 16),
    ],
)
def test_a_config_says_what_it_is_for(name, kind, machines, processes):
    config = load_config_from_file(str(FOLDER / name))
    assert (config.distributed_type, config.num_machines, config.num_processes) == (kind, machines, processes)
    assert config.mixed_precision == "bf16"
    arguments, _ = launched(f"accelerate launch --config_file {FOLDER / name} -m diffmidi_core run")
    assert arguments.nproc_per_node == "8"


def test_every_config_is_tried_and_explained():
    assert CONFIGS == ["ddp.yaml", "deepspeed.yaml", "fsdp2.yaml", "nodes.yaml"]
    assert all(name in README for name in CONFIGS)


def test_fsdp2_shards_layer_by_layer(monkeypatch):
    _, environment = launched(f"accelerate launch --config_file {FOLDER / 'fsdp2.yaml'} -m diffmidi_core run")
    assert environment["ACCELERATE_USE_FSDP"] == "true"
    for name, value in environment.items():
        if name.startswith("FSDP_"):
            monkeypatch.setenv(name, value)
    plugin = FullyShardedDataParallelPlugin()
    assert (plugin.fsdp_version, plugin.reshard_after_forward) == (2, True)
    assert plugin.auto_wrap_policy.__name__ == "transformer_auto_wrap_policy"
    assert not plugin.cpu_ram_efficient_loading


@pytest.mark.parametrize("stage", [1, 2])
def test_deepspeed_says_what_the_run_decides(monkeypatch, stage):
    _, environment = launched(
        f"accelerate launch --config_file {FOLDER / 'deepspeed.yaml'} --zero_stage {stage} -m diffmidi_core run"
    )
    assert environment["ACCELERATE_USE_DEEPSPEED"] == "true"
    for name, value in environment.items():
        if name.startswith("ACCELERATE_"):
            monkeypatch.setenv(name, value)
    plugin = DeepSpeedPlugin()
    plugin.set_mixed_precision("no")
    reconcile(plugin, 8, TrainConfig(), "bf16")
    assert plugin.deepspeed_config["zero_optimization"]["stage"] == stage


def test_the_readmes_launch_lines_are_read(monkeypatch):
    monkeypatch.chdir(FOLDER.parents[1])
    lines = [line for line in re.sub(r"\\\n\s*", "", README).splitlines() if line.startswith("accelerate launch")]
    assert len(lines) >= 4
    for line in lines:
        arguments, _ = launched(line.partition("#")[0])
        said = [arguments.training_script, *arguments.training_script_args]
        assert said[:2] == (["diffmidi", "run"] if arguments.no_python else ["diffmidi_core", "run"]), line
