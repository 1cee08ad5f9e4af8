"""sample: new music from a checkpoint's averaged weights, as words and as MIDI."""

from __future__ import annotations

from pathlib import Path

import torch

from diffmidi_core.config import Part
from diffmidi_core.contracts.batch import Canvas
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Sampler
from diffmidi_core.contracts.tokenizer import SPECIALS, Ids
from diffmidi_core.engine import checkpoint
from diffmidi_core.engine.build import build, build_process
from diffmidi_core.engine.ranks import gathered
from diffmidi_core.engine.samples import write_sample
from diffmidi_core.engine.seeds import generator_for
from diffmidi_core.engine.session import Session


def load_process(session: Session, which: checkpoint.Which = None) -> tuple[Process, int]:
    """The run's process with averaged weights, ready to be asked, and the step they are of (`checkpoint.choose`)."""
    path = checkpoint.choose(session.folder.checkpoints, which)
    process = build_process(session.config, session.tokenizer)
    manifest = checkpoint.load_manifest(path, process)
    checkpoint.load_weights(path, process, averaged=True)
    return process.to(session.accelerator.device).eval(), int(manifest["step"])


def sample(session: Session, *, which: checkpoint.Which = None) -> list[Path]:
    """Draw `sample.count` pieces and write them; the same pieces whatever the number of ranks."""
    session.begin("sample")
    process, step = load_process(session, which)
    sampler: Sampler = build("sampler", session.config.sampler)
    drawn = gathered(_draw(session, process, sampler))
    paths: list[Path] = []
    if session.accelerator.is_main_process:
        midi = build("renderer", Part(name="midi"))
        about = {
            "checkpoint": step,
            "sampler": session.config.sampler.name,
            "steps": session.config.sample.steps,
            "seed": session.config.seed,
        }
        for index, ids in enumerate(drawn):
            path = session.folder.samples / f"sample-{session.config.seed}-{index:03d}.txt"
            write_sample(path, ids, session.tokenizer, about)
            music = path.with_suffix(midi.suffix)
            midi.render(session.tokenizer.decode(ids), music)
            paths += [path, music]
        session.hooks.emit("samples_written", paths=paths)
    session.accelerator.wait_for_everyone()
    session.end("sample")
    return paths


def _draw(session: Session, process: Process, sampler: Sampler) -> list[tuple[int, list[Ids]]]:
    config, accelerator = session.config, session.accelerator
    sizes = [
        min(config.sample.batch_size, config.sample.count - begin)
        for begin in range(0, config.sample.count, config.sample.batch_size)
    ]
    mine = []
    for index in range(accelerator.process_index, len(sizes), accelerator.num_processes):
        before = index * config.sample.steps

        def tell(done: int, steps: int, before: int = before) -> None:
            session.hooks.emit("progress", what="reverse steps", done=before + done, total=len(sizes) * steps)

        canvas = Canvas.blank(sizes[index], config.length, device=str(accelerator.device))
        generator = generator_for(config.seed, "sample", index, device=accelerator.device)
        with torch.inference_mode(), accelerator.autocast():
            words = sampler.sample(process, canvas, steps=config.sample.steps, generator=generator, on_step=tell)
        rows = words.cpu().numpy().astype("int32")
        mine.append((index, [row[row >= len(SPECIALS)] for row in rows]))
    return mine
