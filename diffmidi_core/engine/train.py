"""train: the loop. Batch k is a function of (seed, k) alone, so a resumed run goes on as if it had never stopped."""

from __future__ import annotations

import math
import time
from typing import Any

import torch

from diffmidi_core.contracts.process import Process
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.engine import checkpoint
from diffmidi_core.engine.build import build_process, describe_parts
from diffmidi_core.engine.likelihood import bits_per_word, window_bits
from diffmidi_core.engine.optimiser import Ema, ema_decay, learning_rate, make_optimiser
from diffmidi_core.engine.seeds import generator_for, seed_for
from diffmidi_core.engine.session import Session
from diffmidi_core.engine.stop import Stop
from diffmidi_core.errors import DiffmidiError

HELDOUT_WINDOWS, HELDOUT_LEVELS = 32, 8
"""How much of the held-out music a look during training takes; `evaluate` measures properly."""


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
        self.heldout = self.dataset.heldout(HELDOUT_WINDOWS, seed=self.config.seed)

    def resume(self) -> None:
        """Go on from the newest checkpoint."""
        path = checkpoint.latest(self.session.folder.checkpoints)
        manifest = checkpoint.load_manifest(path, self.process)
        checkpoint.load_training(path, self.process, self.ema, self.optimiser)
        self.step = int(manifest["step"])
        self.session.folder.truncate_log(self.step)

    def run(self) -> None:
        """Train to `train.iterations`. Raises StoppedError after Ctrl-C or SIGTERM, with a checkpoint saved."""
        config, hooks = self.config.train, self.session.hooks
        if self.step == 0:
            self._look_at_heldout()
        clock = _Clock(self.step)
        with Stop() as stop:
            while self.step < config.iterations:
                losses = self._update()
                self.step += 1
                last = self.step == config.iterations
                if self.step % config.log_every == 0 or last:
                    self._log({**self._checked(losses), **clock.rate(self.step)})
                hooks.emit("progress", what="iterations", done=self.step, total=config.iterations)
                if self.step % config.evaluate_every == 0 or last:
                    self._look_at_heldout()
                    clock.restart(self.step)
                stopping = self._agreed(stop.asked) and not last
                if self.step % config.save_every == 0 or last or stopping:
                    self.save()
                if stopping:
                    raise StoppedError(
                        f"Stopped at iteration {self.step} of {config.iterations}; everything is saved. "
                        f"Go on with: diffmidi run --resume {self.session.folder.path}"
                    )

    def save(self) -> None:
        """Write a checkpoint and tell the listeners."""
        folder = self.session.folder.checkpoints
        if self.accelerator.is_main_process:
            manifest = {
                "parts": describe_parts(self.config),
                "length": self.config.length,
                "tokenizer_fingerprint": self.session.tokenizer.fingerprint,
                "data_fingerprint": self.dataset.fingerprint,
            }
            path = checkpoint.save(folder, self.step, self.process, self.ema, self.optimiser, manifest)
            checkpoint.prune(folder, self.config.train.keep)
            self.session.hooks.emit("checkpoint_saved", step=self.step, path=path)
        self.accelerator.wait_for_everyone()

    def _update(self) -> dict[str, torch.Tensor]:
        config, accelerator = self.config.train, self.accelerator
        ranks, rank = accelerator.num_processes, accelerator.process_index
        windows = self.dataset.draw(
            config.batch_size * config.accumulate * ranks, seed=seed_for(self.config.seed, "windows"), step=self.step
        )
        # Dropout draws from the global generators; seeding them here makes step k the same in a resumed run.
        torch.manual_seed(seed_for(self.config.seed, "dropout", self.step, rank))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, config)
        self.model.train()
        losses: dict[str, torch.Tensor] = {}
        for micro in range(config.accumulate):
            share = micro * ranks + rank
            batch = self.dataset.batch(windows[share * config.batch_size : (share + 1) * config.batch_size])
            noise = generator_for(self.config.seed, "noise", self.step, share, device=accelerator.device)
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
        if config.ema:
            self.ema.update(self.process, ema_decay(self.step, config.ema))
        else:
            self.ema.update(self.process, 0.0)
        return losses

    def _checked(self, losses: dict[str, torch.Tensor]) -> dict[str, float]:
        means = {name: self.accelerator.reduce(value, "mean").item() for name, value in losses.items()}
        if not math.isfinite(means["loss"]):
            raise DiffmidiError(
                f"the loss is {means['loss']} at iteration {self.step}: lower the learning rate (--lr) or use "
                f"--precision fp32. The checkpoints before it are whole: {self.session.folder.checkpoints}"
            )
        return {**means, "lr": self.optimiser.param_groups[0]["lr"]}

    def _look_at_heldout(self) -> None:
        if not self.heldout:
            return
        with self.ema.applied(self.process):
            rows = window_bits(
                self.session, self.process, self.dataset, self.heldout, levels=HELDOUT_LEVELS, report=False
            )
        self._log({"heldout/bound_bpw": bits_per_word(rows)})

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
