"""Trainer: the loop. Batch k is a function of (seed, k) alone, so a resumed run goes on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from diffmidi_core.contracts.process import Process
from diffmidi_core.data.augment import Augmentation, resolved
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.data.given_notes import GivenNotes
from diffmidi_core.data.known_labels import KnownLabel
from diffmidi_core.data.report import check_files
from diffmidi_core.data.told import Told
from diffmidi_core.draw.length import lengths_of, typical_of
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.machine.memory import peak_memory_mb
from diffmidi_core.machine.ranks import done_by_main, main_only
from diffmidi_core.machine.seeds import seed_for
from diffmidi_core.machine.session import Session
from diffmidi_core.machine.sharding import name_layers
from diffmidi_core.machine.stop import Stop
from diffmidi_core.saved import checkpoint
from diffmidi_core.saved.manifest import ANOTHER, Manifest
from diffmidi_core.saved.training import Began, StoredBest, Training
from diffmidi_core.sections import AugmentConfig
from diffmidi_core.train import classifying, segments
from diffmidi_core.train.agreement import Agreement
from diffmidi_core.train.beginning import check_labels, open_origin
from diffmidi_core.train.clock import Clock
from diffmidi_core.train.feed import Feed
from diffmidi_core.train.listening import Aloud, Listening
from diffmidi_core.train.optimiser import Ema, ema_decay, make_optimiser
from diffmidi_core.train.overfitting import ERROR, HELDOUT, TRAIN, Best
from diffmidi_core.train.profile import profiled
from diffmidi_core.train.step import Stepper
from diffmidi_core.train.telling import bars_left_out, known_reason, not_finite, remarks_at_the_end, stopped
from diffmidi_core.train.validation import WINDOWS, Bound, averaged, bounds


class Trainer:
    """One training of a process: model, optimiser, average and data, and where they stand."""

    def __init__(self, session: Session, aloud: Aloud | None = None) -> None:
        self.session, self.config, self.accelerator = session, session.config, session.accelerator
        config, device = session.config.train, session.accelerator.device
        condition = session.config.condition
        done_by_main(lambda: check_files(session.folder.data))
        self.dataset = TokenDataset(
            session.folder.data, session.tokenizer, length=session.config.length, bars=session.config.bars
        )
        self.feed = Feed(
            self.dataset,
            seed=self.config.seed,
            rows=config.batch_size * config.accumulate,
            rank=self.accelerator.process_index,
            ranks=self.accelerator.num_processes,
            pin=device.type == "cuda",
            kept=GivenNotes(session.tokenizer, session.config.condition.kept)
            if session.config.condition.kept
            else None,
        )
        self.epochs = config.iterations * self.feed.tokens_a_step / max(1, int(self.dataset.tokens_of_pieces().sum()))
        self._vary(resolved(session.config.augment, self.epochs))
        if condition.names:
            known = done_by_main(
                lambda: Told.of(condition.names, self.dataset, session.tokenizer, dropped=condition.dropped).known
            )
            self._tell(known)
        process = classifying.built(session, self.labels).to(device)
        if config.checkpointing:
            process.backbone.checkpointing(True)
        if config.compile:
            process.backbone.compile()
        name_layers(process)
        model, self.optimiser = self.accelerator.prepare(process, make_optimiser(process, config))
        self.process: Process = self.accelerator.unwrap_model(model)
        self.stepper = Stepper(self.accelerator, model, self.optimiser, session.config, self._warn_of_smaller)
        self.ema = Ema(self.process)
        self.step, self.aloud = 0, aloud
        self.best = Best()
        self.began: Began | None = None
        self.lengths, self.typical = lengths_of(self.dataset), typical_of(self.dataset, session.tokenizer)
        # Of the data and not of the run's seed: runs that differ by their seed validate on the same music.
        self.heldout = self.dataset.heldout(WINDOWS)
        self.labelled = classifying.labelled_of(session, self.labels, self.dataset)
        self.trained_on = self.dataset.draw(len(self.heldout), seed=seed_for(0, "look"), step=0, plain=True)

    def _vary(self, how: AugmentConfig) -> None:
        """Vary training windows by a config whose "auto" is resolved."""
        self.varied = how
        self.dataset.augment = Augmentation(how, self.session.tokenizer, self.session.hooks.warn)

    def _tell(self, known: Sequence[KnownLabel]) -> None:
        """Tell these labels of training windows."""
        dropped = self.session.config.condition.dropped
        self.feed.told = Told.opened(known, self.dataset, self.session.tokenizer, dropped=dropped)

    @property
    def labels(self) -> tuple[KnownLabel, ...]:
        """What training tells of its windows, none perhaps."""
        return self.feed.told.known if self.feed.told is not None else ()

    def resume(self) -> None:
        """Go on from the newest checkpoint. Raises DiffmidiError where it was trained on other data than are here."""
        path = checkpoint.choose(self.session.folder.checkpoints, "last")
        manifest = done_by_main(lambda: checkpoint.opened(path))
        checkpoint.check_data(manifest, self.dataset)
        training = self._take(path, manifest, ANOTHER)
        self.step, self.began = manifest.step, training.began
        self.best = Best.of(training.best.model_dump() if training.best else None)
        # More iterations than were asked at first must not change what the others were.
        if self.config.augment.transpose == "auto" and training.transpose != self.varied.transpose:
            self._vary(self.varied.model_copy(update={"transpose": training.transpose}))

    def begin_from(self, began: Began) -> None:
        """Begin from another run's checkpoint (train/beginning.py)."""
        path, manifest = open_origin(began)
        self._take(path, manifest, "a run begins from another only with its tokenizer, backbone and process.")
        self.began = began

    def _take(self, path: Path, manifest: Manifest, remedy: str) -> Training:
        checkpoint.check_tokenizer(manifest, self.session.tokenizer, path)
        if (training := manifest.training) is None:
            raise DiffmidiError(f"{path} is an exported model, from which training cannot go on: {remedy}")
        check_labels(path, manifest, self.labels)
        if manifest.labels:  # its bins are those that its weights were trained with
            self._tell(manifest.labels)
        checkpoint.load_training(path, manifest, self.process, self.ema, self.optimiser, remedy=remedy)
        if self.accelerator.scaler is not None and training.scaler:
            self.accelerator.scaler.load_state_dict(training.scaler)
        return training

    @property
    def before(self) -> int:
        """Iterations that the weights had been trained for when the run began."""
        return self.began.iterations if self.began else 0

    @property
    def goes_on(self) -> bool:
        """Whether there is anything left to train."""
        return self.step < self.config.train.iterations and not self.best.exhausted(self.config.train.patience)

    def run(self) -> None:
        """Train to `train.iterations`, or until `train.patience` validation passes brought no lower validation loss.

        Raises StoppedError after Ctrl-C or SIGTERM, with a checkpoint saved.
        """
        self.listening = Listening(self.session, self.aloud)
        for remark in bars_left_out(self.dataset.bars_left_out, self.config.length):
            self.session.hooks.warn(remark)
        if self.step == 0:
            self._validate()
        begun, agreement = self.step, Agreement()
        with Stop() as stop, self.feed, profiled(self.session) as step_done:
            self.listening.stopping = lambda: stop.asked
            try:
                self._loop(stop, agreement, step_done)
            except (RuntimeError, MemoryError) as error:
                known = known_reason(error, self.config.train, self.session.folder.path, self.step + 1)
                if known is None:
                    raise
                raise known from error
            was_asked = agreement.any_now(stop.asked)
        if self.step > begun:
            log = self.session.folder.read_log() if self.accelerator.is_main_process else None
            for remark in remarks_at_the_end(self.best, self.step, self.config.train.iterations, log):
                self.session.hooks.warn(remark)
        if was_asked:
            raise main_only(stopped(self.session.folder.path, self.step, self.config.train.iterations))

    def save(self, *, regular: bool = True) -> None:
        """Write a checkpoint and tell the listeners; one that is not `regular` makes room for newer ones first."""
        self._check_finite()
        tensors = checkpoint.gather(self.process, self.ema, self.optimiser, keep=self.accelerator.is_main_process)
        done_by_main(lambda: self._write(tensors, regular))

    def _loop(self, stop: Stop, agreement: Agreement, step_done: Callable[[], None]) -> None:
        config, clock = self.config.train, Clock(self.step, self.feed)
        while self.goes_on:
            losses = self._update()
            step_done()
            self.step += 1
            last = self.step == config.iterations
            if self.step % config.log_every == 0 or last:
                self._log({**self._read(losses), **clock.read(self.step)})
            self.session.hooks.emit("progress", what="iterations", done=self.step, total=config.iterations)
            better = False
            if self.step % config.evaluate_every == 0 or last:
                better = self._validate()
                clock.restart(self.step)
            elif self.listening.is_early(self.step):
                with averaged(self.session, self.process, self.ema, self.labels) as process:
                    self.listening.draw(process, self._manifest())
                clock.restart(self.step)
            done = last or self.best.exhausted(config.patience)
            stopping = agreement.any(stop.asked) and not done
            regular = self.step % config.save_every == 0 or last
            if regular or better or done or stopping:
                self.save(regular=regular)
            if stopping:
                raise main_only(stopped(self.session.folder.path, self.step, config.iterations))

    def _update(self) -> dict[str, torch.Tensor]:
        total = self.before + self.step
        losses = self.stepper.take(self.step, self.feed.batch(total), before=self.before)
        self.ema.update(self.process, ema_decay(total, self.config.train.ema))
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
        what = "gradient" if row is None else "loss"
        raise main_only(not_finite(what, step + 1 - self.before, self.dataset, windows, self.session.folder))

    def _write(self, tensors: checkpoint.Tensors, regular: bool) -> None:
        scaler, folder, best = self.accelerator.scaler, self.session.folder, self.best.state()
        training = Training(
            data_fingerprint=self.dataset.fingerprint,
            regular=regular,
            best=None if best is None else StoredBest(**best),
            transpose=self.varied.transpose,
            scaler=None if scaler is None else scaler.state_dict(),
            began=self.began,
        )
        path = checkpoint.save(folder.checkpoints, tensors, self.session.tokenizer, self._manifest(training))
        checkpoint.prune(folder.checkpoints, self.config.train.keep, self.best.step)
        memory = peak_memory_mb(self.accelerator.device)
        folder.note(iterations=self.step, peak_memory_mb=memory, **segments.reached(folder, self.step))
        self.session.hooks.emit("checkpoint_saved", step=self.step, path=path)

    def _manifest(self, training: Training | None = None) -> Manifest:
        fingerprint = self.session.tokenizer.fingerprint
        return Manifest.of(self.config, self.step, fingerprint, self.lengths, self.typical, training, self.labels)

    def _validate(self) -> bool:
        """A validation pass: log the bound on held-out and on training music, and let training be heard; whether the
        first is the lowest yet.
        """
        better = False
        with averaged(self.session, self.process, self.ema, self.labels) as process:
            if self.heldout:
                (heldout, error), (trained_on, _) = self._bounds(process)
                names = (HELDOUT, TRAIN, ERROR) if self.labelled is None else classifying.CURVES
                values = dict(zip(names, (heldout, trained_on, error), strict=True))
                self._log({name: value for name, value in values.items() if value is not None})
                better = self.best.update(self.step, heldout, error)
            if self.step:
                self.listening.draw(process, self._manifest())
        return better

    def _bounds(self, process: Process) -> tuple[Bound, Bound]:
        if self.labelled is not None:
            return classifying.both(self.session, process, self.labelled, self.heldout, self.trained_on)
        heldout, trained_on = bounds(self.session, process, self.dataset, (self.heldout, self.trained_on))
        return heldout, trained_on

    def try_out(self) -> None:
        """A step that only measures, on a trainer that is thrown away (train/plan.py); waits for the device."""
        self._read(self._update())
        self.step += 1

    def bounds(self) -> None:
        """A validation pass of which nothing is kept."""
        if self.heldout:
            with averaged(self.session, self.process, self.ema, self.labels) as process:
                self._bounds(process)

    def _warn_of_smaller(self, rows: int, passes: int) -> None:
        self.session.folder.note(pass_size=rows, passes=passes)
        self.session.hooks.warn(
            f"out of memory: going on with {passes} passes of at most {rows} windows for each iteration and process. "
            "The iterations stay the same."
        )

    def _log(self, values: dict[str, float]) -> None:
        self.session.folder.log(self.step, values)
        self.session.hooks.emit("scalars", step=self.step, values=values)
