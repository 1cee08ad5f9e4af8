"""train: the loop. Batch k is a function of (seed, k) alone, so a resumed run goes on as if it had never stopped."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import torch

from diffmidi_core.contracts.batch import Share
from diffmidi_core.contracts.process import Process
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.engine import checkpoint
from diffmidi_core.engine.build import build_process, describe_parts
from diffmidi_core.engine.likelihood import bits_per_word, window_bits
from diffmidi_core.engine.memory import peak_memory_mb
from diffmidi_core.engine.optimiser import Ema, ema_decay, learning_rate, make_optimiser
from diffmidi_core.engine.overfitting import HELDOUT, TRAIN, Best, curves_part
from diffmidi_core.engine.seeds import generator_for, seed_for
from diffmidi_core.engine.session import Session
from diffmidi_core.engine.stop import Stop
from diffmidi_core.errors import DiffmidiError

LOOK_WINDOWS, LOOK_LEVELS = 32, 8
"""How much of the held-out and of the training music a look takes; `evaluate` measures properly."""


class StoppedError(DiffmidiError):
    """The user or the scheduler asked us to stop, and what was done is saved."""

    exit_code = 130


class Trainer:
    """One training of a process: model, optimiser, average and data, and where they stand."""

    def __init__(self, session: Session) -> None:
        self.session, self.config, self.accelerator = session, session.config, session.accelerator
        self.dataset = TokenDataset(session.folder.data, session.tokenizer, length=session.config.length)
        self.process = build_process(session.config, session.tokenizer)
        self.step = 0
        optimiser = make_optimiser(self.process, self.config.train)
        self.model, self.optimiser = self.accelerator.prepare(self.process, optimiser)
        self.process = self._unwrapped(self.model)
        self.ema = Ema(self.process)
        self.best = Best()
        self.heldout = self.dataset.heldout(LOOK_WINDOWS, seed=self.config.seed)
        self.trained_on = self.dataset.draw(len(self.heldout), seed=seed_for(self.config.seed, "look"), step=0)

    def resume(self) -> None:
        """Go on from the newest checkpoint."""
        path = checkpoint.choose(self.session.folder.checkpoints, "last")
        manifest = checkpoint.load_manifest(path, self.process)
        checkpoint.load_training(path, self.process, self.ema, self.optimiser)
        self.step = int(manifest["step"])
        self.best = Best.of(manifest.get("best"))
        self.session.folder.truncate_log(self.step)

    def run(self) -> None:
        """Train to `train.iterations`, or until `train.patience` looks have not lowered the held-out bound.

        Raises StoppedError after Ctrl-C or SIGTERM, with a checkpoint saved.
        """
        config, hooks = self.config.train, self.session.hooks
        if self.step == 0:
            self._look()
        begun, clock = self.step, _Clock(self.step)
        with Stop() as stop:
            while self.step < config.iterations and not self.best.exhausted(config.patience):
                losses = self._update()
                self.step += 1
                last = self.step == config.iterations
                if self.step % config.log_every == 0 or last:
                    self._log({**self._checked(losses), **clock.rate(self.step)})
                hooks.emit("progress", what="iterations", done=self.step, total=config.iterations)
                better = False
                if self.step % config.evaluate_every == 0 or last:
                    better = self._look()
                    clock.restart(self.step)
                done = last or self.best.exhausted(config.patience)
                stopping = self._agreed(stop.asked) and not done
                regular = self.step % config.save_every == 0 or last
                if regular or better or done or stopping:
                    self.save(regular=regular)
                if stopping:
                    raise StoppedError(
                        f"Stopped at iteration {self.step} of {config.iterations}; everything is saved. "
                        f"Go on with: diffmidi run --resume {self.session.folder.path}"
                    )
        if self.step > begun:
            self._say_whether_it_overfitted()

    def save(self, *, regular: bool = True) -> None:
        """Write a checkpoint and tell the listeners; one that is not `regular` makes room for newer ones first."""
        folder = self.session.folder.checkpoints
        if self.accelerator.is_main_process:
            manifest = {
                "parts": describe_parts(self.config),
                "length": self.config.length,
                "tokenizer_fingerprint": self.session.tokenizer.fingerprint,
                "data_fingerprint": self.dataset.fingerprint,
                "regular": regular,
                "best": self.best.state(),
            }
            path = checkpoint.save(folder, self.step, self.process, self.ema, self.optimiser, manifest)
            checkpoint.prune(folder, self.config.train.keep, self.best.step)
            self.session.folder.note(iterations=self.step, peak_memory_mb=peak_memory_mb(self.accelerator.device))
            self.session.hooks.emit("checkpoint_saved", step=self.step, path=path)
        self.accelerator.wait_for_everyone()

    def _update(self) -> dict[str, torch.Tensor]:
        config, accelerator = self.config.train, self.accelerator
        ranks, rank = accelerator.num_processes, accelerator.process_index
        windows = self.dataset.draw(
            config.batch_size * config.accumulate * ranks, seed=seed_for(self.config.seed, "windows"), step=self.step
        )
        words = sum(window.end - window.start for window in windows)
        # Dropout draws from the global generators; seeding them here makes step k the same in a resumed run.
        torch.manual_seed(seed_for(self.config.seed, "dropout", self.step, rank))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, config)
        self.model.train()
        losses: dict[str, torch.Tensor] = {}
        for micro in range(config.accumulate):
            first = (micro * ranks + rank) * config.batch_size
            share = Share(
                first,
                parts=config.accumulate * ranks,
                rows=len(windows),
                positions=words + 2 * len(windows),
                words=words,
            )
            batch = replace(self.dataset.batch(windows[first : first + config.batch_size]), share=share)
            noise = generator_for(self.config.seed, "noise", self.step, device=accelerator.device)
            with accelerator.accumulate(self.model):
                with accelerator.autocast():
                    parts = self.model(batch.to(accelerator.device), noise)
                accelerator.backward(parts["loss"])
                if accelerator.sync_gradients and config.clip:
                    losses["gradient_norm"] = accelerator.clip_grad_norm_(self.model.parameters(), config.clip)
                self.optimiser.step()
                self.optimiser.zero_grad()
            for name, value in parts.items():
                losses[name] = losses.get(name, 0) + value.detach() / config.accumulate
        self.ema.update(self.process, ema_decay(self.step, config.ema))
        return losses

    def _checked(self, losses: dict[str, torch.Tensor]) -> dict[str, float]:
        means = {name: self.accelerator.reduce(value, "mean").item() for name, value in losses.items()}
        if not math.isfinite(means["loss"]):
            raise DiffmidiError(
                f"the loss is {means['loss']} at iteration {self.step}: lower the learning rate (--lr) or use "
                f"--precision fp32. The checkpoints before it are whole: {self.session.folder.checkpoints}"
            )
        return {**means, "lr": self.optimiser.param_groups[0]["lr"]}

    def _look(self) -> bool:
        """Log the bound on held-out and on training music; whether the held-out one is the lowest so far."""
        if not self.heldout:
            return False
        with self.ema.applied(self.process):
            heldout, trained_on = (
                bits_per_word(
                    window_bits(self.session, self.process, self.dataset, windows, levels=LOOK_LEVELS, report=False)
                )
                for windows in (self.heldout, self.trained_on)
            )
        self._log({HELDOUT: heldout, TRAIN: trained_on})
        return self.best.look(self.step, heldout)

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

    def _log(self, values: dict[str, float]) -> None:
        self.session.folder.log(self.step, values)
        self.session.hooks.emit("scalars", step=self.step, values=values)

    def _agreed(self, asked: bool) -> bool:
        """Whether any rank was asked to stop: all must leave the loop at the same step."""
        if self.accelerator.num_processes == 1:
            return asked
        flag = torch.tensor(float(asked), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, "sum").item() > 0)

    def _unwrapped(self, model: Any) -> Process:
        process: Process = self.accelerator.unwrap_model(model)
        return process


class _Clock:
    """Iterations per second since it was last restarted, so that looks at held-out music do not count."""

    def __init__(self, step: int) -> None:
        self.restart(step)

    def restart(self, step: int) -> None:
        self.step, self.begun = step, time.perf_counter()

    def rate(self, step: int) -> dict[str, float]:
        elapsed = time.perf_counter() - self.begun
        return {"steps_per_second": (step - self.step) / elapsed} if step > self.step and elapsed > 0 else {}


def train(session: Session, *, resume: bool = False) -> None:
    """Train the run's process, from nothing or on from its newest checkpoint."""
    session.begin("train")
    if not resume and checkpoint.steps(session.folder.checkpoints):
        raise DiffmidiError(
            f"{session.folder.path} holds checkpoints already: go on from the newest with --resume, "
            "or begin a new run in another folder."
        )
    trainer = Trainer(session)
    if resume and checkpoint.steps(session.folder.checkpoints):
        trainer.resume()
    parameters = sum(each.numel() for each in trainer.process.parameters())
    session.folder.save(session.config)
    session.folder.note(parameters=parameters, data=trainer.dataset.report | {"refused": None})
    trainer.run()
    session.end("train")
