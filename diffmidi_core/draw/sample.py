"""sample: new music from a checkpoint's averaged weights, as words and as MIDI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from diffmidi_core.config import Part, RunConfig
from diffmidi_core.contracts.batch import Canvas
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Sampler
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.diffusion.rows import RowGenerators
from diffmidi_core.draw.length import DataLengths, goals_for
from diffmidi_core.draw.long import Filled, Frame, grow
from diffmidi_core.draw.samples import Drawn, write_sample
from diffmidi_core.run import checkpoint
from diffmidi_core.run.build import build, build_process
from diffmidi_core.run.memory import Halves
from diffmidi_core.run.ranks import gathered
from diffmidi_core.run.seeds import generator_for
from diffmidi_core.run.session import Session


def load_process(session: Session, which: checkpoint.Which = None) -> tuple[Process, int]:
    """The run's process with averaged weights, ready to be asked, and the step they are of (`checkpoint.choose`)."""
    path = checkpoint.choose(session.folder.checkpoints, which)
    process, step, _ = restored(path, session.config, session.tokenizer)
    return process.to(session.accelerator.device), step


def restored(path: Path, config: RunConfig, tokenizer: Tokenizer) -> tuple[Process, int, DataLengths]:
    """The process of a checkpoint with averaged weights, on the CPU, in evaluation mode; the step they are of; and how
    long the music was that it was trained on.
    """
    process = build_process(config, tokenizer)
    manifest = checkpoint.opened(path)
    checkpoint.check_tokenizer(manifest, tokenizer, path)
    checkpoint.load_averaged(path, process)
    return process.eval(), manifest.step, manifest.lengths


def sample(session: Session, *, which: checkpoint.Which = None) -> list[Path]:
    """Draw `sample.count` pieces and write them; the same pieces whatever the number of ranks."""
    session.begin("sample")
    path = checkpoint.choose(session.folder.checkpoints, which)
    process, step, lengths = restored(path, session.config, session.tokenizer)
    sampler: Sampler = build("sampler", session.config.sampler)
    accelerator = session.accelerator
    drawn = gathered(
        draw(
            process.to(accelerator.device),
            sampler,
            session.config,
            lengths,
            autocast=session.autocast,
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
            "length": session.config.sample.length.replace(" ", "-"),
        }
        _say_if_short(session, drawn)
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


def _say_if_short(session: Session, drawn: Sequence[Drawn]) -> None:
    short = sum("short" in piece.record for piece in drawn)
    if short:
        session.hooks.warn(
            f"{short} of {len(drawn)} pieces stood still before they were {session.config.sample.length} long, and are "
            "kept as they are: train longer, or ask for another length."
        )


def draw(
    process: Process,
    sampler: Sampler,
    config: RunConfig,
    lengths: DataLengths,
    *,
    autocast: Callable[[], AbstractContextManager[None]],
    rank: int = 0,
    ranks: int = 1,
    on_step: Callable[[int, int | None], object] | None = None,
    warn: Callable[[str], None] = lambda message: None,
) -> list[tuple[int, list[Drawn]]]:
    """`sample.count` pieces as long as `sample.length` says; this rank's share of their batches, by their numbers.

    Piece i is a function of the seed and i, whatever is drawn beside it, up to the rounding of the device's arithmetic.
    `on_step(done, total)` is told how many reverse steps of all batches are done, and of how many where that is known;
    `warn` that memory holds fewer pieces than a batch has, and how many are drawn together from then on.
    """
    device, asked = next(process.parameters()).device, config.sample
    goals, first = goals_for(asked.length, asked.count, tokenizer=process.tokenizer, lengths=lengths, seed=config.seed)
    frame = Frame.of(process.tokenizer, config.length, asked.overlap)
    size = asked.batch_size
    batches = [range(begin, min(begin + size, asked.count)) for begin in range(0, asked.count, size)]
    progress = _Progress([[frame.windows(goals[piece]) for piece in batch] for batch in batches], asked.steps, on_step)
    mine: list[tuple[int, list[Drawn]]] = []
    halves = Halves("piece", warn)

    def fill(canvas: Canvas, pieces: Sequence[int], window: int) -> Filled:
        generator = RowGenerators(
            [generator_for(config.seed, "sample", piece, window, device=device) for piece in pieces]
        )
        with torch.inference_mode(), autocast():
            words, record = sampler.sample_with_record(
                process, canvas.to(device), steps=asked.steps, generator=generator, on_step=progress.tell
            )
        progress.next_window()
        return words.cpu().numpy(), {name: values.tolist() for name, values in record.items()}

    for index in range(rank, len(batches), ranks):
        progress.begin(index)

        def some(begin: int, end: int, path: tuple[int, ...], batch: range = batches[index]) -> list[Drawn]:
            pieces = batch[begin:end]
            return grow(
                [goals[piece] for piece in pieces],
                lambda canvas, rows, window: fill(canvas, [pieces[row] for row in rows], window),
                frame,
                first=first,
            )

        mine.append((index, halves(len(batches[index]), some)))
    return mine


class _Progress:
    """Reverse steps done, of those of all batches.

    Args:
        windows: of each piece of each batch, None where no one knows.
        steps: for each window.
        on_step: told of each step.
    """

    def __init__(
        self,
        windows: Sequence[Sequence[int | None]],
        steps: int,
        on_step: Callable[[int, int | None], object] | None,
    ) -> None:
        known = [max(each or 0 for each in batch) for batch in windows]
        self.before = [steps * sum(known[:index]) for index in range(len(known))]
        self.total = None if any(each is None for batch in windows for each in batch) else steps * sum(known)
        self.steps, self.on_step = steps, on_step
        self.done = 0

    def begin(self, batch: int) -> None:
        """Batches are done in their order, though other ranks may do those between."""
        self.done = max(self.done, self.before[batch])

    def tell(self, done: int, steps: int) -> None:
        """So many steps of this window are done."""
        if self.on_step is not None:
            now = self.done + done
            self.on_step(now, None if self.total is None else max(now, self.total))

    def next_window(self) -> None:
        """All of them are."""
        self.done += self.steps
