"""Starts `diffmidi` by forking after everything heavy is imported, so that a process to kill costs no import.

Run as a script: each line on stdin is JSON, what `run` takes but for the rank, and `ranks`; the answer is the
process ids, and when all have ended their exit codes (negative: the signal that ended them).
"""

import json
import os
import signal
import sys
import traceback


def shard(settings):
    """Let accelerate shard models as these settings of its config say: on CPUs it takes no notice of them."""
    from accelerate import Accelerator, DistributedType, PartialState
    from accelerate.utils import FullyShardedDataParallelPlugin

    begin = Accelerator.__init__
    os.environ |= {name.upper(): str(value) for name, value in settings.items()}

    def begin_sharded(self, **kwargs):
        begin(self, **kwargs)
        self.state.distributed_type = PartialState().distributed_type = DistributedType.FSDP
        self.state.fsdp_plugin = FullyShardedDataParallelPlugin()
        if self.mixed_precision != "no":
            self.state.fsdp_plugin.set_mixed_precision(self.mixed_precision)

    Accelerator.__init__ = begin_sharded


def speed(stage):
    """Let accelerate train with DeepSpeed at this stage of ZeRO: on CPUs it takes no notice that it was told to."""
    import deepspeed
    from accelerate import Accelerator, PartialState

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # which a compiler would work at for minutes
    os.environ |= {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(stage)}
    begin = Accelerator.__init__

    def begin_with_deepspeed(self, *, cpu, **kwargs):
        PartialState(cpu=cpu)
        del os.environ["ACCELERATE_USE_CPU"]
        begin(self, cpu=False, **kwargs)
        os.environ["ACCELERATE_USE_CPU"] = "true"

    Accelerator.__init__ = begin_with_deepspeed


def run(words, rank, ranks, port, folder, log, sharded, zero, unread):
    if unread:
        reading, out = os.pipe()
        os.close(reading)
    else:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(folder)
    if ranks > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)}
        os.environ |= {"LOCAL_WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if sharded:
        shard(sharded)
    if zero:
        speed(zero)
    sys.argv = ["diffmidi", *words]
    from diffmidi_core.cli import main

    main()


def answer(value):
    print(json.dumps(value), flush=True)


def serve():
    import torch

    torch.set_num_threads(1)
    import accelerate  # noqa: F401
    import pandas  # noqa: F401

    import diffmidi_core.draw.sample
    import diffmidi_core.run.stages
    import diffmidi_core.train.whole  # noqa: F401
    from diffmidi_core.registry import find

    used = {"tokenizer": "mmm", "backbone": "bert", "schedule": "sqrt", "process": "gaussian", "sampler": "ddpm"}
    for kind, name in [*used.items(), ("hook", "console"), ("hook", "report"), ("renderer", "midi")]:
        find(kind, name).implementation()
    answer("ready")
    for line in sys.stdin:
        asked = json.loads(line)
        pids = []
        for rank in range(asked["ranks"]):
            pid = os.fork()
            if pid == 0:
                code = 70
                try:
                    run(**{**asked, "rank": rank})
                except SystemExit as left:
                    code = left.code or 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(code)
            pids.append(pid)
        answer(pids)
        answer([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup has ignored
    os.environ |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    serve()
