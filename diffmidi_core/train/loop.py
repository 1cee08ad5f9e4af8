"""train: the loop. Batch k is a function of (seed, k) alone, so a resumed run goes on as if it had never stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import NoReturn

import torch

from diffmidi_core.contracts.process import Process
from diffmidi_core.data.augment import Augmentation, settled
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.data.report import figures
from diffmidi_core.draw.length import lengths_of
from diffmidi_core.errors import DiffmidiError, StoppedError
from diffmidi_core.judge.likelihood import bits_per_word, window_bits
from diffmidi_core.run import checkpoint
from diffmidi_core.run.build import build_process
from diffmidi_core.run.manifest import ANOTHER, PARTS, BestSaid, Manifest, Training
from diffmidi_core.run.memory import out_of_memory, peak_memory_mb
from diffmidi_core.run.ranks import done_by_main, said_once
from diffmidi_core.run.seeds import seed_for
from diffmidi_core.run.session import Session
from diffmidi_core.run.stop import Stop
from diffmidi_core.sections import AugmentConfig
from diffmidi_core.train.agreement import Agreement
from diffmidi_core.train.feed import Feed
from diffmidi_core.train.optimiser import Ema, ema_decay, make_optimiser
from diffmidi_core.train.overfitting import HELDOUT, TRAIN, Best, curves_part
from diffmidi_core.train.profile import profiled
from diffmidi_core.train.sharding import name_layers, whole
from diffmidi_core.train.step import Stepper

LOOK_WINDOWS, LOOK_LEVELS = 32, 8
"""How much of the held-out and of the training music a look takes; `evaluate` measures properly."""
NAMED = 3
"""Windows of a bad step that are named; the others are counted."""


class Trainer:
    """One training of a process: model, optimiser, average and data, and where they stand."""

    def __init__(self, session: Session) -> None:
        self.session, self.config, self.accelerator = session, session.config, session.accelerator
        config, device = session.config.train, session.accelerator.device
        self.dataset = TokenDataset(session.folder.data, session.tokenizer, length=session.config.length)
        self.feed = Feed(
            self.dataset,
            seed=self.config.seed,
            rows=config.batch_size * config.accumulate,
            rank=self.accelerator.process_index,
            ranks=self.accelerator.num_processes,
            pin=device.type == "cuda",
        )
        self.epochs = config.iterations * self.feed.words_a_step / max(1, int(self.dataset.words_of_pieces().sum()))
        self._vary(settled(session.config.augment, self.epochs))
        process = build_process(session.config, session.tokenizer, seed=self.config.seed).to(device)
        if config.checkpointing:
            process.backbone.checkpointing(True)
        if config.compile:
            process.backbone.compile()
        name_layers(process)
        model, self.optimiser = self.accelerator.prepare(process, make_optimiser(process, config))
        self.process: Process = self.accelerator.unwrap_model(model)
        self.stepper = Stepper(self.accelerator, model, self.optimiser, session.config, self._say_smaller)
        self.ema = Ema(self.process)
        self.step = 0
        self.best = Best()
        self.lengths = lengths_of(self.dataset)
        self.heldout = self.dataset.heldout(LOOK_WINDOWS)
        self.trained_on = self.dataset.draw(
            len(self.heldout), seed=seed_for(self.config.seed, "look"), step=0, plain=True
        )

    def _vary(self, how: AugmentConfig) -> None:
        """Vary training windows by a config that is settled."""
        self.varied = how
        self.dataset.augment = Augmentation(how, self.session.tokenizer, self.session.hooks.warn)

    def resume(self) -> None:
        """Go on from the newest checkpoint."""
        path = checkpoint.choose(self.session.folder.checkpoints, "last")
        manifest = done_by_main(lambda: checkpoint.opened(path))
        checkpoint.check_tokenizer(manifest, self.session.tokenizer, path)
        checkpoint.check_data(manifest, self.dataset)
        checkpoint.load_training(path, manifest, self.process, self.ema, self.optimiser)
        said = manifest.training
        if said is None:
            raise DiffmidiError(f"{path} is of an exported model, from which training cannot go on: {ANOTHER}")
        if self.accelerator.scaler is not None and said.scaler:
            self.accelerator.scaler.load_state_dict(said.scaler)
        self.step = manifest.step
        self.best = Best.of(said.best.model_dump() if said.best else None)
        # More iterations than were asked at first must not change what the others were.
        if self.config.augment.transpose == "auto" and said.transpose != self.varied.transpose:
            self._vary(self.varied.model_copy(update={"transpose": said.transpose}))

    def run(self) -> None:
        """Train to `train.iterations`, or until `train.patience` looks have not lowered the held-out bound.

        Raises StoppedError after Ctrl-C or SIGTERM, with a checkpoint saved.
        """
        if self.step == 0:
            self._look()
        begun, agreement = self.step, Agreement()
        with Stop() as stop, self.feed, profiled(self.session) as step_done:
            try:
                self._loop(stop, agreement, step_done)
            except (RuntimeError, MemoryError) as error:
                self._explain(error)
            stopped = agreement.settled(stop.asked)
        if self.step > begun:
            self._say_whether_it_overfitted()
        if stopped:
            raise said_once(self._stopped())

    def save(self, *, regular: bool = True) -> None:
        """Write a checkpoint and tell the listeners; one that is not `regular` makes room for newer ones first."""
        self._check_finite()
        tensors = checkpoint.gather(self.process, self.ema, self.optimiser, keep=self.accelerator.is_main_process)
        done_by_main(lambda: self._write(tensors, regular))

    def _loop(self, stop: Stop, agreement: Agreement, step_done: Callable[[], None]) -> None:
        config, clock = self.config.train, _Clock(self.step, self.feed)
        while self.step < config.iterations and not self.best.exhausted(config.patience):
            losses = self._update()
            step_done()
            self.step += 1
            last = self.step == config.iterations
            if self.step % config.log_every == 0 or last:
                self._log({**self._read(losses), **clock.read(self.step)})
            self.session.hooks.emit("progress", what="iterations", done=self.step, total=config.iterations)
            better = False
            if self.step % config.evaluate_every == 0 or last:
                better = self._look()
                clock.restart(self.step)
            done = last or self.best.exhausted(config.patience)
            stopping = agreement.any(stop.asked) and not done
            regular = self.step % config.save_every == 0 or last
            if regular or better or done or stopping:
                self.save(regular=regular)
            if stopping:
                raise said_once(self._stopped())

    def _update(self) -> dict[str, torch.Tensor]:
        losses = self.stepper.take(self.step, self.feed.batch(self.step))
        self.ema.update(self.process, ema_decay(self.step, self.config.train.ema))
        return losses

    def _read(self, losses: dict[str, torch.Tensor]) -> dict[str, float]:
        """The means over all processes, on the host: here the loop waits for the device."""
        self._check_finite()
        means = self.accelerator.reduce(torch.stack([value.float() for value in losses.values()]), "mean").tolist()
        return {**dict(zip(losses, means, strict=True)), "lr": self.optimiser.param_groups[0]["lr"]}

    def _check_finite(self) -> None:
        """Raises DiffmidiError that names the first step whose loss or gradient was not finite, and its windows."""
        watch = self.stepper.watch
        first = int(self.accelerator.gather(watch.first[None]).min())
        if not watch.happened(first):
            return
        step, row = self.stepper.blamed(first, self.feed.rows * self.feed.ranks)
        windows = self.feed.windows(step)
        if row is not None:
            windows = windows[row : row + self.stepper.rows_a_pass]
        known = checkpoint.steps(self.session.folder.checkpoints)
        last = f"The checkpoint of iteration {known[-1]} is whole" if known else "No checkpoint was written yet"
        what = "gradient" if row is None else "loss"
        raise said_once(
            DiffmidiError(
                f"the {what} is not a finite number at iteration {step + 1}, on {self._named(windows)}: lower the "
                f"learning rate (--lr) or use --precision fp32. {last}."
            )
        )

    def _named(self, windows: list[Window]) -> str:
        """The windows as pieces and words, the first few of them."""
        said = [f"{self.dataset.name(each.piece)} (words {each.start} to {each.end})" for each in windows[:NAMED]]
        more = len(windows) - len(said)
        return ", ".join(said) + (f" and {more} more windows" if more else "")

    def _write(self, tensors: checkpoint.Tensors, regular: bool) -> None:
        scaler, folder, config = self.accelerator.scaler, self.session.folder, self.config
        parts = {kind: getattr(config, kind) for kind in (*PARTS, "sampler")}
        manifest = Manifest(
            step=self.step,
            sample=config.sample,
            length=config.length,
            precision=config.precision,
            tokenizer_fingerprint=self.session.tokenizer.fingerprint,
            lengths=self.lengths,
            training=Training(
                data_fingerprint=self.dataset.fingerprint,
                regular=regular,
                best=None if (best := self.best.state()) is None else BestSaid(**best),
                transpose=self.varied.transpose,
                scaler=None if scaler is None else scaler.state_dict(),
            ),
            **parts,
        )
        path = checkpoint.save(folder.checkpoints, tensors, self.session.tokenizer, manifest)
        checkpoint.prune(folder.checkpoints, self.config.train.keep, self.best.step)
        folder.note(iterations=self.step, peak_memory_mb=peak_memory_mb(self.accelerator.device))
        self.session.hooks.emit("checkpoint_saved", step=self.step, path=path)

    def _look(self) -> bool:
        """Log the bound on held-out and on training music; whether the held-out one is the lowest so far."""
        if not self.heldout:
            return False
        # A look's batches have shapes of their own: compiling for them would take longer than they do.
        eagerly = torch.compiler.set_stance("force_eager") if self.config.train.compile else nullcontext()
        with self._averaged() as process, eagerly:
            heldout, trained_on = (
                bits_per_word(
                    window_bits(self.session, process, self.dataset, windows, levels=LOOK_LEVELS, report=False)
                )
                for windows in (self.heldout, self.trained_on)
            )
        self._log({HELDOUT: heldout, TRAIN: trained_on})
        return self.best.look(self.step, heldout)

    @contextmanager
    def _averaged(self) -> Iterator[Process]:
        """The process with averaged weights, in evaluation mode, whole on each process."""
        if not self.accelerator.is_fsdp2:
            with self.ema.applied(self.process):
                yield self.process
            return
        # A sharded one would have all processes in step, and each looks at windows of its own.
        process = build_process(self.config, self.session.tokenizer).to(self.accelerator.device)
        averaged = self.process.state_dict() | self.ema.average
        process.load_state_dict({name: whole(tensor) for name, tensor in averaged.items()})
        yield process.eval()

    def _say_whether_it_overfitted(self) -> None:
        config, best, hooks = self.config.train, self.best, self.session.hooks
        if self.step < config.iterations:
            hooks.warn(
                f"training stopped at iteration {self.step} of {config.iterations}: {best.looks_since} looks have not "
                f"lowered the held-out bound, whose best is {best.bound:.3f} bits per word at iteration {best.step}."
            )
        if self.accelerator.is_main_process and (parted := curves_part(self.session.folder.read_log())) is not None:
            hooks.warn(
                f"the model overfits from iteration {parted} on: what it trains on goes on getting easier for it, and "
                "held-out music harder. `sample` and `evaluate` take the checkpoint of that iteration unless told "
                "otherwise by --checkpoint; more music would help."
            )

    def _say_smaller(self, rows: int, passes: int) -> None:
        self.session.folder.note(pass_size=rows, passes=passes)
        self.session.hooks.warn(
            f"out of memory: going on with {passes} passes of at most {rows} windows for each iteration and process. "
            "The iterations stay the same."
        )

    def _explain(self, error: Exception) -> NoReturn:
        """Raise the error again, or a sentence where one is known."""
        config, run = self.config.train, self.session.folder.path
        if out_of_memory(error):
            size, passes = max(1, config.batch_size // 2), 2 * config.accumulate
            raise DiffmidiError(
                f"memory ran out at iteration {self.step + 1}: go on with `diffmidi run --resume {run} "
                f"--batch-size {size} --accumulate {passes}`, whose iterations are the same."
            ) from error
        if config.compile and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            said = " ".join(str(error).split())[:200]
            raise DiffmidiError(
                f"torch.compile cannot compile this backbone here ({said}): leave out --compile. On a CPU it needs a "
                "C++ compiler."
            ) from error
        raise error

    def _stopped(self) -> StoppedError:
        return StoppedError(
            f"Stopped at iteration {self.step} of {self.config.train.iterations}; everything is saved. "
            f"Go on with: diffmidi run --resume {self.session.folder.path}"
        )

    def _log(self, values: dict[str, float]) -> None:
        self.session.folder.log(self.step, values)
        self.session.hooks.emit("scalars", step=self.step, values=values)


class _Clock:
    """Iterations per second since it was last restarted, so that looks at held-out music do not count.

    And the share of that time that the loop waited for batches.
    """

    def __init__(self, step: int, feed: Feed) -> None:
        self.feed = feed
        self.restart(step)

    def restart(self, step: int) -> None:
        self.step, self.begun, self.feed.waited = step, time.perf_counter(), 0.0

    def read(self, step: int) -> dict[str, float]:
        elapsed = time.perf_counter() - self.begun
        if step == self.step or elapsed <= 0:
            return {}
        return {"steps_per_second": (step - self.step) / elapsed, "wait_share": self.feed.waited / elapsed}


def train(session: Session, *, resume: bool = False) -> None:
    """Train the run's process, from nothing or on from its newest checkpoint."""
    session.begin("train")
    folder = session.folder
    if not resume and checkpoint.steps(folder.checkpoints):
        raise DiffmidiError(
            f"{folder.path} holds checkpoints already: go on from the newest with --resume, "
            "or begin a new run in another folder."
        )
    trainer = Trainer(session)
    if resume:
        if checkpoint.steps(folder.checkpoints):
            trainer.resume()
        # What was logged after the checkpoint, or before there was any, will be logged again.
        folder.truncate_log(trainer.step if trainer.step else -1)
    parameters = sum(each.numel() for each in trainer.process.parameters())
    folder.freeze(session.config)
    folder.note(
        parameters=parameters,
        data=figures(trainer.dataset.report),
        epochs=round(trainer.epochs, 2),
        transpose=trainer.varied.transpose,
    )
    trainer.run()
    session.end("train")
