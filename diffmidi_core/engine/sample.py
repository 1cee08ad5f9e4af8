"""sample: new music from a checkpoint's averaged weights, as words and as MIDI."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from diffmidi_core.config import Part, RunConfig
from diffmidi_core.contracts.batch import Canvas
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Sampler
from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.engine import checkpoint
from diffmidi_core.engine.build import build, build_process
from diffmidi_core.engine.memory import Halves
from diffmidi_core.engine.ranks import gathered
from diffmidi_core.engine.samples import Drawn, write_sample
from diffmidi_core.engine.seeds import generator_for
from diffmidi_core.engine.session import Session


def load_process(session: Session, which: checkpoint.Which = None) -> tuple[Process, int]:
    """The run's process with averaged weights, ready to be asked, and the step they are of (`checkpoint.choose`)."""
    path = checkpoint.choose(session.folder.checkpoints, which)
    process, step = restored(path, session.config, session.tokenizer)
    return process.to(session.accelerator.device), step


def restored(path: Path, config: RunConfig, tokenizer: Tokenizer) -> tuple[Process, int]:
    """The process of a checkpoint with averaged weights, on the CPU, in evaluation mode; and the step they are of."""
    process = build_process(config, tokenizer)
    manifest = checkpoint.load_manifest(path, process)
    checkpoint.load_weights(path, process, averaged=True)
    return process.eval(), int(manifest["step"])


def sample(session: Session, *, which: checkpoint.Which = None) -> list[Path]:
    """Draw `sample.count` pieces and write them; the same pieces whatever the number of ranks."""
    session.begin("sample")
    process, step = load_process(session, which)
    sampler: Sampler = build("sampler", session.config.sampler)
    accelerator = session.accelerator
    drawn = gathered(
        draw(
            process,
            sampler,
            session.config,
            autocast=accelerator.autocast,
            rank=accelerator.process_index,
            ranks=accelerator.num_processes,
            on_step=lambda done, total: session.hooks.emit("progress", what="reverse steps", done=done, total=total),
            warn=session.hooks.warn,
        )
    )
    paths: list[Path] = []
    if accelerator.is_main_process:
        midi = build("renderer", Part(name="midi"))
        about = {
            "checkpoint": step,
            "sampler": session.config.sampler.name,
            "steps": session.config.sample.steps,
            "seed": session.config.seed,
        }
        for index, piece in enumerate(drawn):
            path = session.folder.samples / f"sample-{session.config.seed}-{index:03d}.txt"
            write_sample(path, piece.ids, session.tokenizer, {**about, **piece.record})
            music = path.with_suffix(midi.suffix)
            midi.render(session.tokenizer.decode(piece.ids), music)
            paths += [path, music]
        session.hooks.emit("samples_written", paths=paths)
    accelerator.wait_for_everyone()
    session.end("sample")
    return paths


def draw(
    process: Process,
    sampler: Sampler,
    config: RunConfig,
    *,
    autocast: Callable[[], AbstractContextManager[None]],
    rank: int = 0,
    ranks: int = 1,
    on_step: Callable[[int, int], object] | None = None,
    warn: Callable[[str], None] = lambda message: None,
) -> list[tuple[int, list[Drawn]]]:
    """`sample.count` pieces in batches that follow from the config alone; this rank's share of them, by their numbers.

    `on_step(done, total)` is told how many reverse steps of all batches are done;
    `warn` that memory holds fewer pieces than a batch has, and how many are drawn together from then on.
    """
    device = next(process.parameters()).device
    length = process.tokenizer.grammar.longest(config.length)  # whole notes
    sizes = [
        min(config.sample.batch_size, config.sample.count - begin)
        for begin in range(0, config.sample.count, config.sample.batch_size)
    ]
    mine: list[tuple[int, list[Drawn]]] = []
    halves = Halves("piece", warn)
    for index in range(rank, len(sizes), ranks):
        before = index * config.sample.steps

        def tell(done: int, steps: int, before: int = before) -> None:
            if on_step is not None:
                on_step(before + done, len(sizes) * steps)

        def some(
            begin: int, end: int, path: tuple[int, ...], index: int = index, tell: Callable[[int, int], None] = tell
        ) -> list[Drawn]:
            canvas = Canvas.blank(end - begin, length, device=str(device))
            generator = generator_for(config.seed, "sample", index, *path, device=device)
            with torch.inference_mode(), autocast():
                words, record = sampler.sample_with_record(
                    process, canvas, steps=config.sample.steps, generator=generator, on_step=tell
                )
            rows = words.cpu().numpy().astype("int32")
            said = {name: values.tolist() for name, values in record.items()}
            return [
                Drawn(ids[ids >= len(SPECIALS)], {name: values[row] for name, values in said.items()})
                for row, ids in enumerate(rows)
            ]

        mine.append((index, halves(sizes[index], some)))
    return mine
